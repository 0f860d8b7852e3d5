"""What the publisher costs a cluster: a first publication, and one change until Kubernetes has it.

    make bench-publisher      (BENCH_NODES=1000,5000; BENCH_PARTITIONED=1000; BENCH_KUBECONFIG=…)

Each node has 8 GPUs, whole, or as many partitions as they can be cut into. The bus is a real nats-server with
its files on disk. The small API and the publisher share this process, so its figures hold the server's work
too; BENCH_KUBECONFIG names a real API server instead (etcd and kube-apiserver are enough), on which nodes are
made for the run, and gone after it.
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

from bench import fleet, upkeep
from slicewire.client.local import broker as brokers
from slicewire.client.local.memory import megabytes
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import Device, DeviceAttribute, ResourceSlice
from slicewire.publisher import kube, watched
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiUnavailable
from slicewire.publisher.service import Policy, Publisher
from tests.component.publisher.world import running
from tests.kubeapi.server import serving

SIZES = tuple(int(size) for size in os.environ.get("BENCH_NODES", "1000,5000").split(","))
PARTITIONED = tuple(int(size) for size in os.environ.get("BENCH_PARTITIONED", "1000").split(",") if size)
_REAL = os.environ.get("BENCH_KUBECONFIG", "")
_CHANGES = 200
_AT_ONCE = 50
_UNTIL_SECONDS = 1800.0
_MARK = "bench.slicewire.dev/mark"
_PLACE = "resource.kubernetes.io/pciBusID"
_LABEL = "bench.slicewire.dev/made"


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
        self._slices: dict[str, set[str]] = {}
        self._marks: dict[str, str] = {}
        self._whole: set[str] = set()
        self._changed = asyncio.Event()

    async def watch(self, api: kube.Kube) -> None:
        async for event in api.follow(watched.SLICES[0]):
            match event:
                case watched.Listed(objects):
                    for found in objects:
                        self._keep(found)
                case watched.Seen(found):
                    self._keep(found)

    async def until_whole(self, nodes: int) -> int:
        """All pools of so many nodes. How many slices they are."""
        async with asyncio.timeout(_UNTIL_SECONDS):
            while len(self._whole) < nodes:
                await self._next()
        return sum(map(len, self._slices.values()))

    async def until_marked(self, node: str, mark: str) -> None:
        while self._marks.get(node) != mark:
            await self._next()

    def _keep(self, found: ResourceSlice) -> None:
        node = str(found.spec.node_name)
        names = self._slices.setdefault(node, set())
        names.add(found.metadata.name)
        if len(names) == found.spec.pool.resource_slice_count:
            self._whole.add(node)
        for device in found.spec.devices[:1]:
            if _MARK in device.attributes:
                self._marks[node] = device.attributes[_MARK].string or ""
        self._changed.set()

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _pool(number: int, mark: str, *, partitioned: bool) -> PoolObserved:
    """With a mark on its first device, by which a change is known again."""
    pool = fleet.pool(number, partitioned=partitioned)
    first, *others = map(_placed, pool.devices)
    marked = {**first.attributes, _MARK: DeviceAttribute(string=mark)}
    return msgspec.structs.replace(pool, devices=(msgspec.structs.replace(first, attributes=marked), *others))


def _placed(device: Device) -> Device:
    """With the place of its GPU on the bus, by which discovery's pools are cut into slices."""
    gpu = int(device.name.split("-")[1])
    place = {_PLACE: DeviceAttribute(string=f"0000:{gpu:02x}:00.0")}
    return msgspec.structs.replace(device, attributes={**device.attributes, **place})


async def measured(name: str, api: kube.Kube, nodes: int, *, partitioned: bool) -> list[Row]:
    """The figures of one server. The nodes are there already."""
    with tempfile.TemporaryDirectory() as folder:
        async with brokers.running(Path(folder)) as broker, connected(broker.url, name="bench") as bus:
            for start in range(0, nodes, _AT_ONCE):
                some = range(start, min(start + _AT_ONCE, nodes))
                for number in some:
                    await bus.tell(INVENTORY, _pool(number, "first", partitioned=partitioned))
            return await _published(name, api, bus, (nodes, partitioned))


async def _published(name: str, api: kube.Kube, bus: NatsBus, fleet_of: tuple[int, bool]) -> list[Row]:
    nodes, partitioned = fleet_of
    seen, publisher = Seen(), Publisher(bus, api, 8, policy=Policy(makes_classes=False))
    async with running(seen.watch(api)), running(publisher.run()):
        begun, used = time.perf_counter(), time.process_time()
        slices = await seen.until_whole(nodes)
        first, used = time.perf_counter() - begun, time.process_time() - used
        before, seconds = api.writes, list[float]()
        for index in range(_CHANGES):
            number, mark = index * 7 % nodes, f"change-{index}"
            pool = _pool(number, mark, partitioned=partitioned)
            begun = time.perf_counter()
            await bus.tell(INVENTORY, pool)
            await seen.until_marked(pool.node, mark)
            seconds.append(time.perf_counter() - begun)
        requests = (api.writes - before) / _CHANGES
        cuts = statistics.quantiles(seconds, n=100)
        return [
            Row(case=f"{name}: first publication", figure=first, unit="s"),
            Row(case=f"{name}: slices", figure=slices, unit=""),
            Row(case=f"{name}: CPU of this process for it", figure=used, unit="s"),
            Row(case=f"{name}: a change, p50", figure=cuts[49] * 1000, unit="ms", target=50),
            Row(case=f"{name}: a change, p99", figure=cuts[98] * 1000, unit="ms", target=200),
            Row(case=f"{name}: requests a change", figure=requests, unit="", target=1),
            Row(case=f"{name}: memory of this process", figure=megabytes((os.getpid(),)), unit="MB"),
        ]


async def _add(api: kube.Kube, nodes: int) -> None:
    """With what a kubelet says of a node, so that controllers, where there are any, see nothing amiss."""
    for number in range(nodes):
        meta = {"name": fleet.node_name(number), "labels": {_LABEL: "true"}}
        with suppress(ApiConflict):
            await api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": meta})


async def small(nodes: int, *, partitioned: bool) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with serving() as server:
            path = server.write_kubeconfig(Path(folder) / "kubeconfig")
            async with kube.connected(str(path), "") as api:
                await _add(api, nodes)
                return await measured(
                    _named("small API", nodes, partitioned), api, nodes, partitioned=partitioned
                )


async def real(nodes: int, *, partitioned: bool) -> list[Row]:
    """On a server that is there; what is made on it is gone afterwards."""
    async with kube.connected(_REAL, "") as api:
        try:
            await _add(api, nodes)
            return await measured(
                _named("kube-apiserver", nodes, partitioned), api, nodes, partitioned=partitioned
            )
        finally:
            await _remove(api, nodes)


def _named(server: str, nodes: int, partitioned: bool) -> str:
    return f"{server}, {nodes:,} nodes of 8{', MIG' if partitioned else ''}"


async def _remove(api: kube.Kube, nodes: int) -> None:
    """Until nothing is left: controllers change nodes while we delete them, and that is a conflict."""
    ours = {fleet.node_name(number) for number in range(nodes)}
    kinds: tuple[watched.Kind[Any], ...] = (watched.SLICES[0], watched.NODES)
    for kind in kinds:
        while left := [found for found in await _all(api, kind) if _node_of(found) in ours]:
            for found in left:
                meta = found.metadata
                with suppress(ApiConflict, ApiNotFound, ApiUnavailable):
                    await api.delete(f"{kind.path}/{meta.name}", meta.uid, meta.resource_version)


async def _all(api: kube.Kube, kind: watched.Kind[Any]) -> tuple[Any, ...]:
    listed = await anext(api.follow(kind))
    assert isinstance(listed, watched.Listed)
    return listed.objects


def _node_of(found: Any) -> str:
    return str(found.spec.node_name if isinstance(found, ResourceSlice) else found.metadata.name)


async def main() -> list[Row]:
    server = real if _REAL else small
    rows = [row for size in SIZES for row in await server(size, partitioned=False)]
    rows += [row for size in PARTITIONED for row in await server(size, partitioned=True)]
    beside = [*upkeep.gated_pods(), *await upkeep.roll_call(max(SIZES))]
    return rows + [Row(case=found.case, figure=found.figure, unit=found.unit) for found in beside]


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
