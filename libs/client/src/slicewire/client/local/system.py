"""The whole system on this machine: a broker, two allocators, a node's agents for every node, and a
publisher where there is a Kubernetes API. Every part is a process of its own, as in a cluster, but for
fleets of simulated nodes: their agents share a few.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import string
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from slicewire.client.local import broker
from slicewire.client.local.processes import Child, Command, find_program
from slicewire.common.nvml.simulated.fleet import STATE_FILE

MOST_ALONE = 16
"""Nodes whose agents are processes of their own. Of more the agents share processes."""
MOST_TOGETHER = 250
"""Nodes in one process of a fleet."""
_FLEET_LOOKS_EVERY_SECONDS = 600
"""A simulated node says at once when it has changed; to look at each twice a minute costs much."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, and where its files go."""

    folder: Path
    nodes: tuple[str, ...]
    gpus: int = 8
    profile: str = "h100"
    real: bool = False
    """True: this machine's own GPUs, on the one node; else simulated ones."""
    allocators: int = 2
    kubeconfig: Path | None = None
    kubelet: bool = False
    """Serve the kubelet's sockets too, under `node_folder(node)`."""
    otlp_endpoint: str = ""
    trace_sample: float = 1.0
    port: int = -1

    @property
    def nodes_folder(self) -> Path:
        return self.folder / "nodes"

    def node_folder(self, node: str) -> Path:
        return self.nodes_folder / node

    @property
    def is_fleet(self) -> bool:
        return len(self.nodes) > MOST_ALONE


def node_names(count: int) -> tuple[str, ...]:
    """node-a, node-b, …; numbers where letters run out."""
    if count <= len(string.ascii_lowercase):
        return tuple(f"node-{letter}" for letter in string.ascii_lowercase[:count])
    return tuple(f"node-{number:04d}" for number in range(1, count + 1))


def shards(nodes: tuple[str, ...], most: int = MOST_TOGETHER) -> tuple[tuple[str, ...], ...]:
    """The nodes in order, in as few parts as there may be of at most so many, and as even as can be."""
    parts = -(-len(nodes) // most)
    ends = [len(nodes) * part // parts for part in range(parts + 1)]
    return tuple(nodes[begin:end] for begin, end in itertools.pairwise(ends))


def commands(plan: Plan, nats_url: str) -> tuple[Command, ...]:
    """Every process but the broker."""
    common = {
        "SLICEWIRE_NATS_URL": nats_url,
        "SLICEWIRE_LOG_FORMAT": "text",
        "SLICEWIRE_TRACE_SAMPLE": str(plan.trace_sample),
    }
    if plan.otlp_endpoint:  # else OTEL_EXPORTER_OTLP_ENDPOINT, which the processes inherit, counts
        common["SLICEWIRE_OTLP_ENDPOINT"] = plan.otlp_endpoint
    found = [
        *(_allocator(plan, number, common) for number in range(1, plan.allocators + 1)),
        *(_fleet(plan, common) if plan.is_fleet else _alone(plan, common)),
    ]
    if plan.kubeconfig is not None:
        environ = {
            **common,
            "SLICEWIRE_PUBLISHER_KUBECONFIG": str(plan.kubeconfig),
            "SLICEWIRE_PUBLISHER_LEASE_SECONDS": "0",
        }
        found.append(_command(plan, "publisher", "publisher", environ))
    return tuple(found)


def _allocator(plan: Plan, number: int, common: dict[str, str]) -> Command:
    name = f"allocator-{number}"
    untold = "slicewire" if plan.kubeconfig is None else "kube-scheduler"
    environ = {
        **common,
        "SLICEWIRE_ALLOCATOR_INSTANCE": name,
        "SLICEWIRE_ALLOCATOR_UNTOLD_NODES": untold,
    }
    return _command(plan, name, "allocator", environ)


def _alone(plan: Plan, common: dict[str, str]) -> Iterator[Command]:
    for node in plan.nodes:
        yield from _agents(plan, node, common)


def _fleet(plan: Plan, common: dict[str, str]) -> Iterator[Command]:
    """Most nodes of a fleet prepare nothing, so that one node-prep is enough for all of them."""
    for part in shards(plan.nodes):
        often = {"SLICEWIRE_DISCOVERY_LOOK_EVERY_SECONDS": str(_FLEET_LOOKS_EVERY_SECONDS)}
        yield _together(plan, "discovery", part, {**common, **often})
    bus_alone = {"SLICEWIRE_NODE_PREP_KUBELET": "false"}
    yield _together(plan, "node-prep", plan.nodes, {**common, **bus_alone})


def _together(plan: Plan, part: str, nodes: tuple[str, ...], environ: dict[str, str]) -> Command:
    prefix = f"SLICEWIRE_{part.upper().replace('-', '_')}"
    name = f"{nodes[0]}-to-{nodes[-1]}"
    own = {
        "SLICEWIRE_NODE_NAME": name,
        f"{prefix}_NODES": ",".join(nodes),
        f"{prefix}_NVML_ROOM": "simulated",
        f"{prefix}_NVML_STATE": str(plan.nodes_folder),
        f"{prefix}_NVML_PROFILE": plan.profile,
        f"{prefix}_NVML_GPUS": str(plan.gpus),
    }
    return _command(plan, f"{part}@{name}", part, {**environ, **own})


def _agents(plan: Plan, node: str, common: dict[str, str]) -> tuple[Command, Command]:
    folder = plan.node_folder(node)
    own = {**common, "SLICEWIRE_NODE_NAME": node}
    return (
        _command(plan, f"discovery@{node}", "discovery", {**own, **_nvml(plan, node, "DISCOVERY")}),
        _command(
            plan,
            f"node-prep@{node}",
            "node-prep",
            {
                **own,
                **_nvml(plan, node, "NODE_PREP"),
                "SLICEWIRE_NODE_PREP_KUBELET": "true" if plan.kubelet else "false",
                "SLICEWIRE_NODE_PREP_PLUGIN_DIR": str(folder / "plugins" / "gpu.nvidia.com"),
                "SLICEWIRE_NODE_PREP_REGISTRY_DIR": str(folder / "plugins_registry"),
                "SLICEWIRE_NODE_PREP_CDI_ROOT": str(folder / "cdi"),
            },
        ),
    )


def _nvml(plan: Plan, node: str, part: str) -> dict[str, str]:
    prefix = f"SLICEWIRE_{part}_NVML"
    if plan.real:
        return {f"{prefix}_ROOM": "real"}
    return {
        f"{prefix}_ROOM": "simulated",
        f"{prefix}_STATE": str(plan.node_folder(node) / STATE_FILE),
        f"{prefix}_PROFILE": plan.profile,
        f"{prefix}_GPUS": str(plan.gpus),
    }


def _command(plan: Plan, name: str, part: str, environ: dict[str, str]) -> Command:
    return Command(name, f"slicewire-{part}", environ, plan.folder / "logs" / f"{name}.log")


class System:
    """What is running, by name."""

    def __init__(self, plan: Plan, running: broker.Broker, children: tuple[Child, ...]) -> None:
        self.plan = plan
        self.broker = running
        self.children = {child.command.name: child for child in children}

    @property
    def nats_url(self) -> str:
        return self.broker.url

    def pids(self) -> tuple[int, ...]:
        """Of the broker and of every part that lives."""
        return self.broker.pid, *(child.pid for child in self.children.values() if child.pid is not None)


@asynccontextmanager
async def running(plan: Plan, say: Callable[[str], None]) -> AsyncIterator[System]:
    """The system for as long as the context is open; stopped in the order nobody misses the other.

    Raises `NoBroker`, `NotInstalled`.
    """
    for command in commands(plan, ""):
        find_program(command.program)
    for folder in (plan.folder / "logs", *(plan.node_folder(node) for node in plan.nodes)):
        folder.mkdir(parents=True, exist_ok=True)
    async with broker.running(plan.folder / "nats", plan.port) as nats_server:
        children = tuple(Child(command, say) for command in commands(plan, nats_server.url))
        (plan.folder / "up.json").write_text(json.dumps({"nats_url": nats_server.url}))
        tasks = [asyncio.create_task(child.keep(), name=child.command.name) for child in children]
        try:
            yield System(plan, nats_server, children)
        finally:
            (plan.folder / "up.json").unlink(missing_ok=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(child.stop() for child in children))
