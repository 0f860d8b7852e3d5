"""What the Grafana dashboard asks Prometheus, panel by panel. Refuses to know where a panel lies."""

from __future__ import annotations

from typing import NamedTuple


class Panel(NamedTuple):
    """`asks` are expressions, each with what its lines are called."""

    title: str
    unit: str
    asks: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


class Row(NamedTuple):
    title: str
    panels: tuple[Panel, ...]


def _rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}[$__rate_interval]))"


def _late(share: str, name: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, {_rate(f'{name}_bucket', by)})"


_ALLOCATION = "slicewire_allocator_allocation_seconds"
_STEP = "slicewire_allocator_step_seconds"
_PREPARE = "slicewire_node_prep_request_seconds"
ROWS = (
    Row(
        "At a glance",
        (
            Panel("Ready", "short", (("sum by (part) (slicewire_ready)", "{{part}}"),), "stat"),
            Panel(
                "Devices",
                "short",
                (("max by (state) (slicewire_allocator_devices)", "{{state}}"),),
                "stat",
            ),
            Panel(
                "Waiting",
                "short",
                (
                    ("max(slicewire_allocator_waiting_claims)", "claims"),
                    ("max(slicewire_publisher_gated_pods)", "pods behind the gate"),
                    ("max(slicewire_allocator_conflicts)", "devices given twice"),
                ),
                "stat",
            ),
        ),
    ),
    Row(
        "Allocation",
        (
            Panel(
                "From asked to kept",
                "s",
                tuple((_late(share, _ALLOCATION), f"p{share[2:]}") for share in ("0.50", "0.95", "0.99")),
            ),
            Panel("Where the time goes (p95)", "s", ((_late("0.95", _STEP, "le, step"), "{{step}}"),)),
            Panel(
                "Answers", "ops", ((_rate("slicewire_allocator_answers_total", "outcome"), "{{outcome}}"),)
            ),
            Panel(
                "Refusals", "ops", ((_rate("slicewire_allocator_refusals_total", "reason"), "{{reason}}"),)
            ),
            Panel(
                "Commits", "ops", ((_rate("slicewire_allocator_commits_total", "outcome"), "{{outcome}}"),)
            ),
            Panel(
                "What is known",
                "short",
                (
                    ("max(slicewire_allocator_claims)", "claims"),
                    ("max(slicewire_allocator_waiting_claims)", "that wait"),
                    ("max(slicewire_allocator_nodes)", "nodes"),
                ),
            ),
        ),
    ),
    Row(
        "Nodes",
        (
            Panel(
                "Prepare and unprepare (p95)",
                "s",
                ((_late("0.95", _PREPARE, "le, operation"), "{{operation}}"),),
            ),
            Panel(
                "Preparations",
                "ops",
                ((_rate('slicewire_node_prep_requests_total{operation="prepare"}', "result"), "{{result}}"),),
            ),
            Panel(
                "Steps (p95)",
                "s",
                (
                    (
                        _late("0.95", "slicewire_node_prep_step_seconds", "le, step, direction"),
                        "{{direction}} {{step}}",
                    ),
                ),
            ),
            Panel(
                "Claims on nodes", "short", (("sum by (state) (slicewire_node_prep_claims)", "{{state}}"),)
            ),
            Panel(
                "Prepared devices",
                "short",
                (("sum by (device_type) (nvidia_dra_prepared_devices)", "{{device_type}}"),),
            ),
            Panel(
                "Devices that are not well",
                "short",
                (('sum by (node) (slicewire_discovery_devices{state="tainted"}) > 0', "{{node}}"),),
            ),
            Panel(
                "A look at all GPUs (p95)", "s", ((_late("0.95", "slicewire_discovery_look_seconds"), "p95"),)
            ),
            Panel(
                "What NVML reports",
                "ops",
                ((_rate("slicewire_discovery_nvml_events_total", "kind"), "{{kind}}"),),
            ),
            Panel(
                "Cannot be offered",
                "short",
                (
                    ("sum(slicewire_discovery_unreadable)", "parts of nodes"),
                    ("sum(slicewire_discovery_driver_missing)", "nodes without a driver"),
                ),
            ),
        ),
    ),
    Row(
        "Kubernetes",
        (
            Panel(
                "Requests",
                "ops",
                ((_rate("slicewire_publisher_requests_total", "verb, resource"), "{{verb}} {{resource}}"),),
            ),
            Panel(
                "Answers that are no success",
                "ops",
                (
                    (
                        _rate('slicewire_publisher_requests_total{code!~"2.."}', "code, resource"),
                        "{{code}} {{resource}}",
                    ),
                ),
            ),
            Panel(
                "Answered within (p95)",
                "s",
                ((_late("0.95", "slicewire_publisher_request_seconds", "le, verb"), "{{verb}}"),),
            ),
            Panel(
                "Slices written",
                "ops",
                ((_rate("slicewire_publisher_slice_writes_total", "change"), "{{change}}"),),
            ),
            Panel(
                "Who leads, and what waits",
                "short",
                (
                    ("slicewire_publisher_leader", "leads: {{instance}}"),
                    ("max(slicewire_publisher_backlog)", "objects to look at"),
                ),
            ),
            Panel(
                "Watches",
                "ops",
                (
                    (_rate("slicewire_publisher_watch_interruptions_total", "kind"), "{{kind}} interrupted"),
                    (_rate("slicewire_publisher_lists_total", "kind"), "{{kind}} listed"),
                ),
            ),
            Panel("Looks", "ops", ((_rate("slicewire_publisher_looks_total", "result"), "{{result}}"),)),
            Panel("Pools", "short", (("max by (state) (slicewire_publisher_pools)", "{{state}}"),)),
        ),
    ),
    Row(
        "The bus",
        (
            Panel("Facts told", "ops", ((_rate("slicewire_facts_told_total", "kind"), "{{kind}}"),)),
            Panel("Facts heard", "ops", ((_rate("slicewire_facts_heard_total", "kind"), "{{kind}}"),)),
            Panel(
                "How far behind",
                "s",
                (
                    ("max by (part) (slicewire_follower_behind_seconds)", "{{part}} behind"),
                    ("max by (part) (slicewire_follower_silent_seconds)", "{{part}} hears nothing"),
                ),
            ),
            Panel(
                "Facts not heard yet",
                "short",
                (("max by (part) (slicewire_follower_behind_messages)", "{{part}}"),),
            ),
            Panel(
                "Connections",
                "short",
                (
                    ("sum by (part) (slicewire_bus_connected)", "{{part}}"),
                    (
                        "sum by (part) (increase(slicewire_bus_reconnects_total[$__rate_interval]))",
                        "{{part}} came back",
                    ),
                ),
            ),
            Panel(
                "Questions",
                "ops",
                ((_rate("slicewire_answers_total", "endpoint, code"), "{{endpoint}} {{code}}"),),
            ),
        ),
    ),
    Row(
        "Processes",
        (
            Panel(
                "CPU",
                "percentunit",
                ((_rate('process_cpu_seconds_total{job=~"slicewire-.*"}', "job"), "{{job}}"),),
            ),
            Panel(
                "Memory",
                "bytes",
                (('max by (job) (process_resident_memory_bytes{job=~"slicewire-.*"})', "{{job}}"),),
            ),
            Panel(
                "Lines logged",
                "ops",
                (
                    (
                        _rate('slicewire_log_lines_total{level=~"WARNING|ERROR"}', "part, level"),
                        "{{part}} {{level}}",
                    ),
                ),
            ),
        ),
    ),
)
