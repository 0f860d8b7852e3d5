"""The running allocator: durable answers over a real bus, and how soon a restarted one is ready.

    make bench-service      (BENCH_NODES=500 for a smaller fleet, BENCH_RUNS=1 for fewer runs)

A nats-server with its files on disk, a `slicewire-allocator` process and two client processes share
two cores. An answer counts when the client has it: the claim, its ledger entry and the answer are on
the stream by then. Each figure is the best of several runs, with the median beside it; CPU time per
claim is what the machine's other users cannot blur.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench import fleet
from slicewire.client.local import broker as brokers
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Committed, Write
from slicewire.common.messages import ANSWERS, CLAIMS, CLASSES, INVENTORY, LEDGERS, Channel

NODES = int(os.environ.get("BENCH_NODES", "5000"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
CLIENTS = 2
_CLAIMS_EACH = min(4000, NODES * fleet.GPUS // 4)
_MIXED_EACH = _CLAIMS_EACH * 3 // 2
_STEADY_SECONDS = 15
_HELD_GPUS = (range(7), range(8), range(7), range(7), range(7))
"""36 of 40 GPUs: 90 % of the fleet."""
_CHANNELS: dict[type, Channel[Any]] = {each.fact: each for each in (CLAIMS, LEDGERS, ANSWERS)}
_ROOT = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 60


class Row(msgspec.Struct, frozen=True, kw_only=True):
    case: str
    unit: str
    figures: tuple[float, ...]
    target: float | None = None
    more_is_better: bool = False

    @property
    def best(self) -> float:
        return max(self.figures) if self.more_is_better else min(self.figures)

    @property
    def is_met(self) -> bool:
        assert self.target is not None
        return self.best >= self.target if self.more_is_better else self.best <= self.target


class Allocator:
    """A `slicewire-allocator` process."""

    def __init__(self, process: asyncio.subprocess.Process, ready_seconds: float) -> None:
        self.pid = process.pid
        self.process = process
        self.ready_seconds = ready_seconds

    def peak_megabytes(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6


@asynccontextmanager
async def allocator(url: str) -> AsyncIterator[Allocator]:
    """Started, and ready to answer."""
    command = Path(sys.executable).parent / "slicewire-allocator"
    port = _free_port()
    environ = {
        **os.environ,
        "SLICEWIRE_NATS_URL": url,
        "SLICEWIRE_HEALTH_PORT": str(port),
    }
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        str(command), env=environ, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while not await asyncio.to_thread(_is_ready, port):
                if process.returncode is not None:
                    raise SystemExit(f"the allocator ended with {process.returncode}")
                await asyncio.sleep(0.02)
        yield Allocator(process, time.perf_counter() - begun)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _is_ready(port: int) -> bool:
    asked = f"http://127.0.0.1:{port}/readyz"
    with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(asked, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


async def told(bus: NatsBus, writes: Sequence[Write]) -> None:
    for start in range(0, len(writes), 200):
        assert isinstance(await bus.commit(writes[start : start + 200]), Committed)


async def tell_fleet(bus: NatsBus) -> None:
    await told(bus, [Write(CLASSES, CLASSES.key(each), each) for each in fleet.classes()])
    pools = map(fleet.pool, range(NODES))
    await told(bus, [Write(INVENTORY, INVENTORY.key(each), each) for each in pools])


async def tell_ledgers(bus: NatsBus) -> None:
    """Nine GPUs of ten are given away, as the stream would have it."""
    writes = [
        Write(_CHANNELS[type(fact)], _CHANNELS[type(fact)].key(fact), fact)
        for number in range(NODES)
        for fact in fleet.held(number, _HELD_GPUS[number % len(_HELD_GPUS)])
    ]
    await told(bus, writes)


class Outcome(msgspec.Struct, frozen=True):
    """What one run of all clients came to."""

    claims: int
    released: int
    seconds: float
    took: tuple[float, ...]
    cpu: dict[str, float]
    """CPU seconds of each part."""

    @property
    def rate(self) -> float:
        return self.claims / self.seconds

    def cpu_microseconds(self, part: str) -> float:
        return self.cpu[part] / self.claims * 1e6

    def percentile(self, share: float) -> float:
        return sorted(self.took)[int(len(self.took) * share)]


async def run(mode: str, amount: int, clients: int, server: brokers.Broker, asked: Allocator) -> Outcome:
    """All clients at once; afterwards they give back what they hold."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "bench.load",
                server.url,
                f"{mode}-{time.time_ns()}-{number}",
                mode,
                str(amount),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
            cwd=_ROOT,
        )
        for number in range(clients)
    ]
    for each in processes:
        assert await _line(each) == b"ready\n"
    pids = {
        "nats-server": [server.pid],
        "allocator": [asked.pid],
        "clients": [each.pid for each in processes],
    }
    before = {part: _cpu_seconds(of) for part, of in pids.items()}
    begun = time.perf_counter()
    for each in processes:
        _go(each)
    said = [json.loads(line) for line in await asyncio.gather(*map(_line, processes))]
    seconds = time.perf_counter() - begun
    cpu = {part: _cpu_seconds(of) - before[part] for part, of in pids.items()}
    for each in processes:
        _go(each)
        await each.wait()
    took = tuple(second for each in said for second in each["took"])
    print(f"{mode}: {len(took)} claims in {seconds:.1f} s", file=sys.stderr)
    return Outcome(len(took), sum(each["released"] for each in said), seconds, took, cpu)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


def _go(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


def _cpu_seconds(pids: Sequence[int]) -> float:
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS


async def answers(server: brokers.Broker) -> list[Row]:
    async with allocator(server.url) as asked:
        await run("saturated", 500, CLIENTS, server, asked)  # the first claims compile and gather
        saturated = await _runs(lambda: run("saturated", _CLAIMS_EACH, CLIENTS, server, asked))
        mixed = await _runs(lambda: run("mixed", _MIXED_EACH, CLIENTS, server, asked))
        steady = await _runs(lambda: run("steady", _STEADY_SECONDS, 1, server, asked))
    return [
        _rates("claims answered", saturated, 2000),
        *_costs("claims answered", saturated),
        _rates("claims answered, others given back meanwhile", mixed, None),
        *_costs("the same, with what was given back", mixed),
        _times("200 claims/s, p50", steady, 0.5, 5),
        _times("200 claims/s, p99", steady, 0.99, 25),
        *_costs("200 claims/s", steady),
    ]


async def _runs(one: Callable[[], Awaitable[Outcome]]) -> list[Outcome]:
    return [await one() for _ in range(RUNS)]


def _rates(case: str, outcomes: Sequence[Outcome], target: float | None) -> Row:
    figures = tuple(each.rate for each in outcomes)
    return Row(case=case, unit="/s", figures=figures, target=target, more_is_better=True)


def _costs(case: str, outcomes: Sequence[Outcome]) -> list[Row]:
    return [
        Row(
            case=f"  {case}: CPU per claim of {part}",
            unit="us",
            figures=tuple(each.cpu_microseconds(part) for each in outcomes),
        )
        for part in ("nats-server", "allocator", "clients")
    ]


def _times(case: str, outcomes: Sequence[Outcome], share: float, target: float) -> Row:
    return Row(
        case=case, unit="ms", figures=tuple(o.percentile(share) * 1e3 for o in outcomes), target=target
    )


async def restarts(server: brokers.Broker, what: str) -> list[Row]:
    seconds, megabytes, cpu = [], [], []
    for _ in range(RUNS):
        async with allocator(server.url) as started:
            seconds.append(started.ready_seconds)
            megabytes.append(started.peak_megabytes())
            cpu.append(_cpu_seconds([started.pid]))
    return [
        Row(case=f"restart, {what}: ready", unit="s", figures=tuple(seconds), target=3),
        Row(case=f"  restart, {what}: CPU", unit="s", figures=tuple(cpu)),
        Row(case=f"restart, {what}: peak memory", unit="MB", figures=tuple(megabytes), target=500),
    ]


async def measured() -> list[Row]:
    what = f"{NODES} nodes x {fleet.GPUS}"
    async with empty_bus() as (server, bus):
        await tell_fleet(bus)
        rows = await restarts(server, what)
        rows += await answers(server)
    async with empty_bus() as (server, bus):
        await tell_fleet(bus)
        await tell_ledgers(bus)
        return rows + await restarts(server, f"{what}, 90 % given away")


@asynccontextmanager
async def empty_bus() -> AsyncIterator[tuple[brokers.Broker, NatsBus]]:
    """A nats-server with nothing on its disk yet."""
    with tempfile.TemporaryDirectory(prefix="slicewire-bench-") as folder:
        async with (
            brokers.running(Path(folder)) as server,
            connected(server.url, name="bench", patience_seconds=10) as bus,
        ):
            yield server, bus


def shown(rows: Sequence[Row]) -> Table:
    table = Table("case", *("best", "median", "target", ""), box=None)
    for row in rows:
        target = "-" if row.target is None else f"{row.target:g} {row.unit}"
        verdict = "" if row.target is None else "met" if row.is_met else "missed"
        median = statistics.median(row.figures)
        table.add_row(row.case, f"{row.best:.4g} {row.unit}", f"{median:.4g} {row.unit}", target, verdict)
    return table


def printed() -> tuple[int, int]:
    """The table; how many aims are met, of how many."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)  # the children inherit it
    rows = asyncio.run(measured())
    Console(width=None if sys.stdout.isatty() else 130).print(shown(rows))
    aimed = [row for row in rows if row.target is not None]
    return sum(row.is_met for row in aimed), len(aimed)


def main() -> int:
    met, total = printed()
    print(f"targets met: {met} of {total}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
