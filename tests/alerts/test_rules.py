"""Each alert fires when it should and no other does, by Prometheus' own reckoning over made-up series."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.alerts.rules import alert_names, groups, promtool, without_annotations

pytestmark = pytest.mark.slow
Labels = dict[str, str]


class Case(NamedTuple):
    """Series that differ from `WELL`, and what the alert then carries beside its name and severity."""

    alert: str
    series: dict[str, str]
    after: str
    labels: Labels
    severity: str = "warning"


ALLOCATOR = {"part": "allocator", "instance": "a:8080"}
FOLLOWER = '{part="allocator",stream="SLICEWIRE_STATE",instance="a:8080"}'
REFUSED = '{operation="prepare",result="driver",instance="n:8080"}'
WELL = {
    'up{job="slicewire-allocator",instance="a:8080"}': "1x60",
    'slicewire_ready{part="allocator",instance="a:8080"}': "1x60",
    'slicewire_bus_connected{part="allocator",instance="a:8080"}': "1x60",
    f"slicewire_follower_behind_seconds{FOLLOWER}": "0x60",
    f"slicewire_follower_silent_seconds{FOLLOWER}": "2x60",
    'slicewire_messages_unreadable_total{part="allocator",instance="a:8080"}': "3x60",
    'slicewire_log_lines_total{part="allocator",level="ERROR",instance="a:8080"}': "2x60",
    'slicewire_allocator_waiting_claims{instance="a:8080"}': "0x60",
    'slicewire_allocator_refusals_total{reason="invalid",instance="a:8080"}': "4x60",
    'slicewire_allocator_conflicts{instance="a:8080"}': "0x60",
    'slicewire_allocator_allocation_seconds_bucket{le="0.1",instance="a:8080"}': "0+100x60",
    'slicewire_allocator_allocation_seconds_bucket{le="2",instance="a:8080"}': "0+100x60",
    'slicewire_allocator_allocation_seconds_bucket{le="+Inf",instance="a:8080"}': "0+100x60",
    'slicewire_allocator_commits_total{outcome="kept",instance="a:8080"}': "0+60x60",
    'slicewire_allocator_commits_total{outcome="outrun",instance="a:8080"}': "0+6x60",
    'slicewire_node_prep_requests_total{operation="prepare",result="done",instance="n:8080"}': "0+5x60",
    f"slicewire_node_prep_requests_total{REFUSED}": "7x60",
    'slicewire_node_prep_requests_total{operation="prepare",result="busy",instance="n:8080"}': "0+5x60",
    'slicewire_node_prep_claims{node="node-a",state="unpreparing"}': "0x60",
    'slicewire_discovery_devices{node="node-a",state="tainted"}': "0x60",
    'slicewire_discovery_driver_missing{node="node-a"}': "0x60",
    'slicewire_discovery_last_look_timestamp_seconds{node="node-a"}': "0+60x60",
    'slicewire_publisher_leader{instance="p:8080"}': "1x60",
    'slicewire_publisher_leader{instance="q:8080"}': "0x60",
    'slicewire_publisher_requests_total{verb="update",code="200",instance="p:8080"}': "0+60x60",
    'slicewire_publisher_requests_total{verb="update",code="409",instance="p:8080"}': "0+6x60",
    'slicewire_publisher_requests_total{verb="update",code="none",instance="p:8080"}': "9x60",
    'slicewire_publisher_looks_total{result="done",instance="p:8080"}': "0+60x60",
    'slicewire_publisher_looks_total{result="rejected",instance="p:8080"}': "1x60",
    'slicewire_publisher_watch_interruptions_total{kind="nodes",instance="p:8080"}': "8x60",
    'slicewire_publisher_pools{state="silent",instance="p:8080"}': "0x60",
}
"""A fleet on which nobody is woken: some things went wrong once, before."""
CASES = (
    Case(
        "SlicewirePartDown",
        {'up{job="slicewire-allocator",instance="a:8080"}': "0x60"},
        "6m",
        {"job": "slicewire-allocator", "instance": "a:8080"},
    ),
    Case(
        "SlicewirePartNotReady",
        {'slicewire_ready{part="publisher",instance="q:8080"}': "0x60"},
        "6m",
        {"part": "publisher", "instance": "q:8080"},
    ),
    Case(
        "SlicewireBusAway",
        {'slicewire_bus_connected{part="allocator",instance="a:8080"}': "0x60"},
        "3m",
        ALLOCATOR,
        "critical",
    ),
    Case(
        "SlicewireFollowerLags",
        {f"slicewire_follower_behind_seconds{FOLLOWER}": "45x60"},
        "3m",
        {**ALLOCATOR, "stream": "SLICEWIRE_STATE"},
    ),
    Case(
        "SlicewireMessageUnreadable",
        {'slicewire_messages_unreadable_total{part="allocator",instance="a:8080"}': "3x5 4x50"},
        "10m",
        ALLOCATOR,
    ),
    Case(
        "SlicewireErrorsLogged",
        {'slicewire_log_lines_total{part="allocator",level="ERROR",instance="a:8080"}': "2x5 3x50"},
        "10m",
        {**ALLOCATOR, "level": "ERROR"},
    ),
    Case(
        "SlicewireNoAllocator",
        {'slicewire_ready{part="allocator",instance="a:8080"}': "1 stale"},
        "4m",
        {},
        "critical",
    ),
    Case("SlicewireClaimsWait", {'slicewire_allocator_waiting_claims{instance="a:8080"}': "2x60"}, "16m", {}),
    Case(
        "SlicewireClaimsInvalid",
        {'slicewire_allocator_refusals_total{reason="invalid",instance="a:8080"}': "4x5 5x50"},
        "10m",
        {},
    ),
    Case(
        "SlicewireDeviceGivenTwice",
        {'slicewire_allocator_conflicts{instance="a:8080"}': "1x60"},
        "2m",
        {},
        "critical",
    ),
    Case(
        "SlicewireAllocationSlow",
        {'slicewire_allocator_allocation_seconds_bucket{le="0.1",instance="a:8080"}': "0+50x60"},
        "20m",
        {},
    ),
    Case(
        "SlicewireAllocatorsCollide",
        {'slicewire_allocator_commits_total{outcome="outrun",instance="a:8080"}': "0+90x60"},
        "20m",
        {},
    ),
    Case(
        "SlicewirePreparationFails",
        {f"slicewire_node_prep_requests_total{REFUSED}": "7+1x60"},
        "10m",
        {"instance": "n:8080", "result": "driver"},
    ),
    Case(
        "SlicewireClaimsNotUndone",
        {'slicewire_node_prep_claims{node="node-a",state="unpreparing"}': "1x60"},
        "12m",
        {"node": "node-a", "state": "unpreparing"},
    ),
    Case(
        "SlicewireDevicesTainted",
        {'slicewire_discovery_devices{node="node-a",state="tainted"}': "1x60"},
        "12m",
        {"node": "node-a", "state": "tainted"},
    ),
    Case(
        "SlicewireDriverMissing",
        {'slicewire_discovery_driver_missing{node="node-a"}': "1x60"},
        "12m",
        {"node": "node-a"},
    ),
    Case(
        "SlicewireDiscoveryStuck",
        {'slicewire_discovery_last_look_timestamp_seconds{node="node-a"}': "0x60"},
        "12m",
        {"node": "node-a"},
    ),
    Case(
        "SlicewireNoLeader",
        {'slicewire_publisher_leader{instance="p:8080"}': "0x60"},
        "4m",
        {},
        "critical",
    ),
    Case(
        "SlicewireKubernetesUnanswered",
        {'slicewire_publisher_requests_total{verb="update",code="none",instance="p:8080"}': "9+30x60"},
        "15m",
        {"instance": "p:8080"},
    ),
    Case(
        "SlicewireKubernetesRefuses",
        {'slicewire_publisher_looks_total{result="rejected",instance="p:8080"}': "1x5 2x50"},
        "10m",
        {"instance": "p:8080"},
    ),
    Case(
        "SlicewireKubernetesConflicts",
        {'slicewire_publisher_requests_total{verb="update",code="409",instance="p:8080"}': "0+60x60"},
        "25m",
        {"instance": "p:8080"},
    ),
    Case(
        "SlicewireWatchInterrupted",
        {'slicewire_publisher_watch_interruptions_total{kind="nodes",instance="p:8080"}': "8+1x60"},
        "12m",
        {"instance": "p:8080", "kind": "nodes"},
    ),
    Case(
        "SlicewireAgentsSilent",
        {'slicewire_publisher_pools{state="silent",instance="p:8080"}': "3x60"},
        "6m",
        {},
    ),
)


def test_every_alert_is_fired_here() -> None:
    assert tuple(case.alert for case in CASES) == alert_names()


def test_prometheus_can_read_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": list(groups())}))
    assert f"{len(alert_names())} rules found" in promtool("check", "rules", str(tmp_path / "rules.yaml"))


def test_each_alert_fires_when_it_should_and_no_other_does(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": list(without_annotations())}))
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [_test("all is well", {}, "30m", None), *map(_of_case, CASES)],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(tmp_path / "tests.yaml"))


def _of_case(case: Case) -> dict[str, Any]:
    return _test(case.alert, case.series, case.after, case)


def _test(name: str, series: dict[str, str], after: str, fires: Case | None) -> dict[str, Any]:
    def expected(alert: str) -> list[dict[str, Labels]]:
        if fires is None or alert != fires.alert:
            return []
        return [{"exp_labels": {**fires.labels, "severity": fires.severity}}]

    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in (WELL | series).items()],
        "alert_rule_test": [
            {"eval_time": after, "alertname": alert, "exp_alerts": expected(alert)} for alert in alert_names()
        ],
    }
