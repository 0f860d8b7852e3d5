"""What it costs to prepare a claim: the kubelet's protocol, from its question to its answer.

    make bench-prep      (BENCH_ROUNDS=20 for a shorter run)

A `slicewire-node-prep` process with simulated GPUs, its journal and CDI files on disk, a nats-server
that holds inventory and ledger, and a client that asks as a kubelet does share two cores. The state of
the simulated GPUs is in memory where there is a file system for that: a GPU waits for no disk. The partner
column is what NVIDIA's driver was measured at on the same machine; device time is in neither.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
from rich.console import Console
from rich.table import Table

from slicewire.client.local import broker as brokers
from slicewire.common.bus.nats import connected
from slicewire.common.messages import INVENTORY, LEDGERS, ClaimRef, LedgerEntry, LedgerWritten, PoolObserved
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    Device,
    Namespace,
    NodeName,
    PoolName,
)
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.node_prep.api import dra_v1_pb2
from tests.kubelet.client import AskedClaim, Kubelet
from tests.unit.node_prep.builders import DRIVER, a_device, a_result

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "100"))
STARTS = 5
GPUS = 8
NODE, POOL = NodeName("bench"), PoolName("bench")
_MIG_CLAIM = GPUS
"""Claims 0 to 7 hold a GPU each; this one holds half of the first, when the whole is not in use."""
_MIG_DEVICE = "gpu-0-mig-3g40gb-9-0"
_READY_SECONDS = 30
_CALL_SECONDS = 45
_MEMORY = "/dev/shm"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    case: str
    unit: str
    figure: float
    target: float
    theirs: tuple[float, float]
    """From the best to the worst of their runs."""

    @property
    def is_met(self) -> bool:
        return self.figure <= self.target


class Node:
    """A `slicewire-node-prep` process and the folder it works in."""

    def __init__(self, folder: Path, gpus: Path, url: str) -> None:
        self.registry_dir = folder / "registry"
        self.state = gpus / "state.json"
        self.pid = 0
        self._environ = {
            **os.environ,
            "SLICEWIRE_NATS_URL": url,
            "SLICEWIRE_NODE_NAME": NODE,
            "SLICEWIRE_LOG_LEVEL": "WARNING",
            "SLICEWIRE_NODE_PREP_PLUGIN_DIR": str(folder / "plugin"),
            "SLICEWIRE_NODE_PREP_REGISTRY_DIR": str(self.registry_dir),
            "SLICEWIRE_NODE_PREP_CDI_ROOT": str(folder / "cdi"),
            "SLICEWIRE_NODE_PREP_NVML_ROOM": "simulated",
            "SLICEWIRE_NODE_PREP_NVML_STATE": str(self.state),
            "SLICEWIRE_NODE_PREP_NVML_GPUS": str(GPUS),
        }

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[float]:
        """Yields the milliseconds from its start to its socket in the registry."""
        begun = time.perf_counter()
        command = Path(sys.executable).parent / "slicewire-node-prep"
        process = await asyncio.create_subprocess_exec(str(command), env=self._environ)
        self.pid = process.pid
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not Kubelet(self.registry_dir).sockets():
                    if process.returncode is not None:
                        raise SystemExit(f"node-prep ended with {process.returncode}")
                    await asyncio.sleep(0.002)
            yield (time.perf_counter() - begun) * 1e3
        finally:
            process.kill()  # as a node does that fails: what it left is found by the next
            await process.wait()
            for path in self.registry_dir.iterdir():
                path.unlink()  # so that the next one is known by its own socket

    def resident_mebibytes(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def devices(self) -> list[Device]:
        """As discovery would tell them, as far as they are asked for."""
        nvml = open_nvml(NvmlSettings(room="simulated", state=str(self.state), gpus=GPUS, node=NODE))
        try:
            facts = nvml.look()
        finally:
            nvml.close()
        assert isinstance(facts, NodeFacts)
        whole = [a_device(f"gpu-{gpu.minor}", type="gpu", uuid=gpu.uuid) for gpu in facts.gpus]
        return [*whole, a_device(_MIG_DEVICE, type="mig", parentUUID=facts.gpus[0].uuid)]


def _held(number: int, device: str) -> LedgerEntry:
    asked = claim(number)
    reference = ClaimRef(
        uid=ClaimUID(asked.uid), namespace=Namespace(asked.namespace), name=ClaimName(asked.name)
    )
    return LedgerEntry(claim=reference, results=(a_result(device, pool=POOL),))


def claim(number: int) -> AskedClaim:
    return AskedClaim(uid=f"00000000-0000-0000-0000-{number:012}", name=f"claim-{number}")


class Asking:
    """A kubelet's question and its answer, and nothing else: what the client costs, node-prep has not."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._prepare = self._method(channel, "NodePrepareResources")
        self._unprepare = self._method(channel, "NodeUnprepareResources")

    def prepare(self, number: int) -> float:
        """Milliseconds."""
        return self._took(self._prepare, dra_v1_pb2.NodePrepareResourcesRequest, number)

    def unprepare(self, number: int) -> float:
        return self._took(self._unprepare, dra_v1_pb2.NodeUnprepareResourcesRequest, number)

    def _method(self, channel: grpc.Channel, name: str) -> Any:
        return channel.unary_unary(
            f"/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=getattr(dra_v1_pb2, f"{name}Response").FromString,
        )

    def _took(self, ask: Any, request: Any, number: int) -> float:
        asked = claim(number)
        those = [dra_v1_pb2.Claim(namespace=asked.namespace, uid=asked.uid, name=asked.name)]
        begun = time.perf_counter()
        answered = ask(request(claims=those), timeout=_CALL_SECONDS)
        took = (time.perf_counter() - begun) * 1e3
        errors = {uid: one.error for uid, one in answered.claims.items()}
        assert errors == {asked.uid: ""}, errors
        return took


@contextmanager
def asking(socket: str) -> Iterator[Asking]:
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        grpc.channel_ready_future(channel).result(_READY_SECONDS)
        yield Asking(channel)


class Times(msgspec.Struct, frozen=True):
    prepare: list[float]
    unprepare: list[float]


def one_after_the_other(plugin: Asking, numbers: Sequence[int]) -> Times:
    times = Times([], [])
    for number in numbers:
        times.prepare.append(plugin.prepare(number))
        times.unprepare.append(plugin.unprepare(number))
    return times


def all_at_once(plugin: Asking, rounds: int) -> Times:
    """Eight pods start at the same moment; each waits for its own claim."""
    times = Times([], [])
    with ThreadPoolExecutor(GPUS) as pods:
        for _ in range(rounds):
            times.prepare.extend(_at_once(pods, plugin.prepare))
            times.unprepare.extend(_at_once(pods, plugin.unprepare))
    return times


def _at_once(pods: ThreadPoolExecutor, ask: Callable[[int], float]) -> list[float]:
    return list(pods.map(ask, range(GPUS)))


def _percentile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def _rows(case: str, times: Sequence[float], aims: tuple[float, float], theirs: Sequence[float]) -> list[Row]:
    """The median, and the 99th percentile; `theirs` from best to worst of the one, then of the other."""
    p50, p99 = _percentile(times, 0.5), _percentile(times, 0.99)
    return [
        Row(case=f"{case}, p50", unit="ms", figure=p50, target=aims[0], theirs=(theirs[0], theirs[1])),
        Row(case=f"{case}, p99", unit="ms", figure=p99, target=aims[1], theirs=(theirs[2], theirs[3])),
    ]


async def measured() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="sw-") as name, _in_memory() as gpus:
        folder = Path(name)
        async with (
            brokers.running(folder / "nats") as server,
            connected(server.url, name="bench", patience_seconds=10) as bus,
        ):
            node = Node(folder, gpus, server.url)
            inventory = PoolObserved(
                node=NODE, driver=DRIVER, pool=POOL, generation=1, devices=tuple(node.devices())
            )
            await bus.tell(INVENTORY, inventory)
            entries = (
                *(_held(number, f"gpu-{number}") for number in range(GPUS)),
                _held(_MIG_CLAIM, _MIG_DEVICE),
            )
            await bus.tell(LEDGERS, LedgerWritten(node=NODE, driver=DRIVER, entries=entries))
            starts = [await _started(node) for _ in range(STARTS)]
            async with node.serving(), Kubelet(node.registry_dir).registered(DRIVER) as plugin:
                claims = await asyncio.to_thread(_claims, plugin.info.endpoint)
                return [*claims, *_process(starts, node.resident_mebibytes())]


@contextmanager
def _in_memory() -> Iterator[Path]:
    place = _MEMORY if Path(_MEMORY).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sw-", dir=place) as name:
        yield Path(name)


async def _started(node: Node) -> float:
    async with node.serving() as milliseconds:
        return milliseconds


def _claims(socket: str) -> list[Row]:
    with asking(socket) as plugin:
        one_after_the_other(plugin, range(GPUS))  # what is asked for the first time is looked up
        single = one_after_the_other(plugin, [number % GPUS for number in range(ROUNDS)])
        together = all_at_once(plugin, max(1, ROUNDS // 4))
        mig = one_after_the_other(plugin, [_MIG_CLAIM] * max(1, ROUNDS // 4))
    return [
        *_rows("prepare a GPU", single.prepare, (4, 12), (9.6, 14.2, 17, 36)),
        *_rows("unprepare it", single.unprepare, (2, 8), (2.8, 5.4, 7, 24)),
        *_rows("8 claims at once, each", together.prepare, (12, 40), (220, 220, 721, 721)),
        _median("prepare dynamic MIG 3g", mig.prepare, 6, 13.2),
        _median("unprepare it", mig.unprepare, 4, 5.0),
    ]


def _median(case: str, times: Sequence[float], target: float, theirs: float) -> Row:
    figure = _percentile(times, 0.5)
    return Row(case=f"{case}, p50", unit="ms", figure=figure, target=target, theirs=(theirs, theirs))


def _process(starts: Sequence[float], resident: float) -> list[Row]:
    start = statistics.median(starts)
    return [
        Row(case="process start to socket, median", unit="ms", figure=start, target=700, theirs=(68, 68)),
        Row(case="resident memory afterwards", unit="MiB", figure=resident, target=80, theirs=(61, 73)),
    ]


def shown(rows: Sequence[Row]) -> Table:
    table = Table("case", "here", "target", "theirs", "times quicker", "", box=None)
    for row in rows:
        best, worst = row.theirs
        theirs = f"{best:g}" if best == worst else f"{best:g} to {worst:g}"
        table.add_row(
            row.case,
            f"{row.figure:.3g} {row.unit}",
            f"{row.target:g}",
            theirs,
            f"{best / row.figure:.2g}",
            "met" if row.is_met else "missed",
        )
    return table


def main() -> int:
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)  # the children inherit it
    rows = asyncio.run(measured())
    Console(width=None if sys.stdout.isatty() else 110).print(shown(rows))
    print(f"targets met: {sum(row.is_met for row in rows)} of {len(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
