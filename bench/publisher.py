"""What the publisher costs a cluster: a first publication, and one change until Kubernetes has it.

    make bench-publisher      (BENCH_NODES=1000,5000; KUBECONFIG names a real cluster)

Each node has 8 GPUs. The bus is a real nats-server with its files on disk; the small API and the publisher
share this process, so its figures hold the server's work too. On a real cluster there are fewer nodes, made
for the run and gone after it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from slicewire.client.local import broker as brokers
from slicewire.client.local.memory import megabytes
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Write
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import (
    Device,
    DeviceAttribute,
    DeviceName,
    DriverName,
    NodeName,
    PoolName,
    ResourceSlice,
)
from slicewire.publisher import kube, watched
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiUnavailable
from slicewire.publisher.service import Policy, Publisher
from tests.component.publisher.world import running
from tests.kubeapi.server import serving

SIZES = tuple(int(size) for size in os.environ.get("BENCH_NODES", "1000,5000").split(","))
_REAL = Path(os.environ.get("KUBECONFIG", "/var/lib/slicewire-cluster/admin.kubeconfig"))
_REAL_NODES = 100
_GPUS = 8
_CHANGES = 200
_AT_ONCE = 200
_DRIVER = DriverName("bench.example.com")
_PREFIX = "bench-node-"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    case: str
    figure: float
    unit: str
    target: float | None = None

    @property
    def is_met(self) -> bool:
        return self.target is None or self.figure <= self.target


class Seen:
    """The slices that Kubernetes has, as a watch of its own sees them."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {}
        self._changed = asyncio.Event()

    async def watch(self, api: kube.Kube) -> None:
        async for event in api.follow(watched.SLICES[0]):
            match event:
                case watched.Seen(found) if found.spec.driver == _DRIVER:
                    self.marks[str(found.spec.node_name)] = _mark(found)
                    self._changed.set()

    async def until(self, nodes: int) -> None:
        while len(self.marks) < nodes:
            await self._next()

    async def until_marked(self, node: str, mark: str) -> None:
        while self.marks.get(node) != mark:
            await self._next()

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _mark(found: ResourceSlice) -> str:
    return found.spec.devices[0].attributes["mark"].string or ""


def _pool(node: str, mark: str) -> PoolObserved:
    devices = tuple(
        Device(
            name=DeviceName(f"gpu-{index}"),
            attributes={
                "mark": DeviceAttribute(string=mark),
                "uuid": DeviceAttribute(string=f"GPU-{node}-{index}"),
                "productName": DeviceAttribute(string="NVIDIA H100 80GB HBM3"),
            },
        )
        for index in range(_GPUS)
    )
    return PoolObserved(
        node=NodeName(node), driver=_DRIVER, pool=PoolName(node), generation=1, devices=devices
    )


async def measured(name: str, api: kube.Kube, nodes: Sequence[str]) -> list[Row]:
    """The figures of one server. `nodes` are there already."""
    with tempfile.TemporaryDirectory() as folder:
        async with brokers.running(Path(folder)) as broker, connected(broker.url, name="bench") as bus:
            for start in range(0, len(nodes), _AT_ONCE):
                some = nodes[start : start + _AT_ONCE]
                await bus.commit([Write(INVENTORY, (node, _DRIVER), _pool(node, "first")) for node in some])
            return await _published(name, api, bus, nodes)


async def _published(name: str, api: kube.Kube, bus: NatsBus, nodes: Sequence[str]) -> list[Row]:
    seen, publisher = Seen(), Publisher(bus, api, 8, policy=Policy(makes_classes=False))
    async with running(seen.watch(api)), running(publisher.run()):
        begun = time.perf_counter()
        await seen.until(len(nodes))
        first = time.perf_counter() - begun
        before, seconds = api.writes, list[float]()
        for index in range(_CHANGES):
            node, mark = nodes[index * 7 % len(nodes)], f"change-{index}"
            begun = time.perf_counter()
            await bus.tell(INVENTORY, _pool(node, mark))
            await seen.until_marked(node, mark)
            seconds.append(time.perf_counter() - begun)
        requests = (api.writes - before) / _CHANGES
        cuts = statistics.quantiles(seconds, n=100)
        return [
            Row(case=f"{name}: first publication", figure=first, unit="s"),
            Row(case=f"{name}: a change, p50", figure=cuts[49] * 1000, unit="ms", target=50),
            Row(case=f"{name}: a change, p99", figure=cuts[98] * 1000, unit="ms", target=200),
            Row(case=f"{name}: requests a change", figure=requests, unit="", target=1),
            Row(case=f"{name}: memory of this process", figure=megabytes((os.getpid(),)), unit="MB"),
        ]


def _nodes(number: int) -> list[str]:
    return [f"{_PREFIX}{index}" for index in range(number)]


async def _add(api: kube.Kube, nodes: Sequence[str]) -> None:
    for node in nodes:
        document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
        with suppress(ApiConflict):
            await api.create("/api/v1/nodes", document)


async def small(number: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with serving() as server:
            path = server.write_kubeconfig(Path(folder) / "kubeconfig")
            async with kube.connected(str(path), "") as api:
                await _add(api, _nodes(number))
                return await measured(f"small API, {number:,} nodes", api, _nodes(number))


async def real() -> list[Row]:
    """On the cluster that is up, if one is; what is made is gone after it."""
    nodes = _nodes(_REAL_NODES)
    async with kube.connected(str(_REAL), "") as api:
        try:
            await _add(api, nodes)
            return await measured(f"Kubernetes, {_REAL_NODES} nodes", api, nodes)
        finally:
            await _remove(api)


async def _remove(api: kube.Kube) -> None:
    """Until nothing is left: controllers change nodes while we delete them, and that is a conflict."""
    kinds: tuple[watched.Kind[Any], ...] = (watched.SLICES[0], watched.NODES)
    for kind in kinds:
        while ours := await _made_here(api, kind):
            for found in ours:
                meta = found.metadata
                with suppress(ApiConflict, ApiNotFound, ApiUnavailable):
                    await api.delete(f"{kind.path}/{meta.name}", meta.uid, meta.resource_version)


async def _made_here(api: kube.Kube, kind: watched.Kind[Any]) -> list[Any]:
    listed = await anext(api.follow(kind))
    assert isinstance(listed, watched.Listed)
    return [
        found
        for found in listed.objects
        if (found.spec.driver == _DRIVER if isinstance(found, ResourceSlice) else _is_ours(found))
    ]


def _is_ours(found: Any) -> bool:
    return str(found.metadata.name).startswith(_PREFIX)


async def main() -> list[Row]:
    rows = [row for size in SIZES for row in await small(size)]
    return rows + (await real() if _REAL.exists() else [])


def show(rows: Sequence[Row]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "measured", "aim", ""):
        table.add_column(column, justify="right" if column in ("measured", "aim") else "left")
    for row in rows:
        aim = "-" if row.target is None else f"{row.target:g} {row.unit}"
        verdict = "" if row.target is None else "met" if row.is_met else "missed"
        table.add_row(row.case, f"{row.figure:.3g} {row.unit}", aim, verdict)
    Console().print(table)
    aims = [row for row in rows if row.target is not None]
    print(f"targets met: {sum(row.is_met for row in aims)} of {len(aims)}")


if __name__ == "__main__":
    show(asyncio.run(main()))
