"""Discovery on one simulated node of eight H100s: how soon it tells, and what it costs to have it.

    .venv/bin/python -m bench.discovery      (BENCH_FAULTS=20 for fewer faults, BENCH_IDLE_SECONDS=10)

A nats-server with its files on disk and a `slicewire-discovery` process. A reaction is measured from the
moment the GPU changes to the moment a subscriber has the fact; faults come seldom enough that none waits
for its turn.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from slicewire.client.local import broker as brokers
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import CaughtUp
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.state import new_node
from slicewire.common.nvml.simulated.statefile import StateFile

FAULTS = int(os.environ.get("BENCH_FAULTS", "60"))
IDLE_SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "30"))
_STARTS = 5
_GPUS = 8
_BETWEEN_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def discovery(folder: Path, url: str, node: str) -> AsyncIterator[int]:
    """The process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slicewire.discovery"),
        env={
            "PATH": os.environ["PATH"],
            "SLICEWIRE_NATS_URL": url,
            "SLICEWIRE_NODE_NAME": node,
            "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
            "SLICEWIRE_DISCOVERY_NVML_STATE": str(folder / "gpus.json"),
            "SLICEWIRE_DISCOVERY_HEALTH_FILE": str(folder / "health.json"),
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


class Facts:
    """What a subscriber has of one node, and when it came."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._came: asyncio.Queue[tuple[float, PoolObserved]] = asyncio.Queue()

    async def run(self) -> None:
        async for heard in self._bus.follow(INVENTORY):
            if not isinstance(heard, CaughtUp) and heard.fact is not None:
                self._came.put_nowait((time.perf_counter(), heard.fact))

    async def next(self) -> float:
        async with asyncio.timeout(20):
            return (await self._came.get())[0]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def starts(folder: Path, url: str, facts: Facts) -> list[float]:
    """Milliseconds from the command to the first fact, each of a node of its own."""
    taken = []
    for number in range(_STARTS):
        own = folder / f"start-{number}"
        SimulatedNvml(own / "gpus.json", new_node(f"start-{number}", "h100", _GPUS)).close()
        began = time.perf_counter()
        async with discovery(own, url, f"start-{number}"):
            taken.append(1000 * (await facts.next() - began))
    return taken


async def reactions(state: StateFile, facts: Facts) -> list[float]:
    """Milliseconds from a GPU that falls ill, or recovers, to the fact."""
    taken = []
    for number in range(FAULTS):
        await asyncio.sleep(_BETWEEN_SECONDS)
        word = "recover" if number % 2 else "lost"
        began = time.perf_counter()
        state.change(lambda it, word=word: befallen(it, 0, word))  # type: ignore[misc]
        taken.append(1000 * (await facts.next() - began))
    return taken


async def idle(pid: int) -> float:
    """Per cent of a core."""
    before = cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    return 100 * (cpu_seconds(pid) - before) / IDLE_SECONDS


async def measured(folder: Path) -> Table:
    async with brokers.running(folder / "nats") as broker, connected(broker.url, name="bench") as bus:
        facts = Facts(bus)
        following = asyncio.create_task(facts.run())
        to_first = await starts(folder, broker.url, facts)
        own = folder / "node"
        SimulatedNvml(own / "gpus.json", new_node("node", "h100", _GPUS)).close()
        async with discovery(own, broker.url, "node") as pid:
            await facts.next()
            to_fact = sorted(await reactions(StateFile(own / "gpus.json"), facts))
            cost = await idle(pid)
            memory = resident_mib(pid)
        following.cancel()
    table = Table("discovery, 8 simulated H100s", "measured", "aim")
    table.add_row(
        "start to first fact", f"{min(to_first):.0f} ms (median {statistics.median(to_first):.0f})", "500 ms"
    )
    table.add_row("change to fact, p50", f"{statistics.median(to_fact):.1f} ms", "20 ms")
    table.add_row("change to fact, p99", f"{to_fact[int(0.99 * len(to_fact))]:.1f} ms", "100 ms")
    table.add_row("resident memory", f"{memory:.0f} MiB", "60 MiB")
    table.add_row("processor, idle", f"{cost:.2f} % of a core", "0.3 %")
    return table


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="slicewire-bench-") as folder:
        Console().print(asyncio.run(measured(Path(folder))))


if __name__ == "__main__":
    main()
