"""What a fleet costs: from a GPU to the bus, the start of an agent, everything heard anew, memory, idling.

    make bench-fleet      (BENCH_NODES=1000 for the smaller resync alone, BENCH_RUNS=3 for fewer runs)

Agents are processes, the bus is a real nats-server with its files on disk, GPUs are simulated. Of NVIDIA's
driver it is known that it needs 710 ms from an XID to the taint on the API, and 1.08 s to its first slices.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench import fleet
from slicewire.client.local import broker as brokers
from slicewire.client.local.memory import megabytes
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import CaughtUp, Write
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import wire
from slicewire.common.nvml.simulated import faults
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from slicewire.common.nvml.simulated.statefile import StateFile

NODES = int(os.environ.get("BENCH_NODES", "5000"))
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
_CHANGES = 40
_IDLE_SECONDS = 65
_TICKS = os.sysconf("SC_CLK_TCK")
_NODE = "node-bench"
_DISCOVERY = Path(sys.executable).parent / "slicewire-discovery"
_AT_ONCE = 200
"""Facts of one commit."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    case: str
    figure: float
    unit: str
    target: float | None = None
    theirs: str = "-"

    @property
    def is_met(self) -> bool:
        return self.target is None or self.figure <= self.target


class Agent(msgspec.Struct, frozen=True):
    """A running `slicewire-discovery` and how long it took to tell its node."""

    pid: int
    seconds: float

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mebibytes(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


class Machine:
    """One node, and the bus it tells."""

    def __init__(self, folder: Path, url: str, bus: NatsBus) -> None:
        self.state = folder / _NODE / STATE_FILE
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self._url = url
        self.bus = bus

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        """Until it has told its node for the first time."""
        told = asyncio.ensure_future(self.told())
        await asyncio.sleep(0.2)  # the listener is there first
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            str(_DISCOVERY),
            env={
                "PATH": os.environ["PATH"],
                "SLICEWIRE_NATS_URL": self._url,
                "SLICEWIRE_NODE_NAME": _NODE,
                "SLICEWIRE_LOG_LEVEL": "ERROR",
                "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
                "SLICEWIRE_DISCOVERY_NVML_STATE": str(self.state),
                "SLICEWIRE_DISCOVERY_HEALTH_FILE": str(self.state.with_name("health.json")),
            },
        )
        try:
            await told
            yield Agent(process.pid, time.perf_counter() - begun)
        finally:
            process.terminate()
            await process.wait()

    async def told(self) -> PoolObserved:
        """The next fact about this node."""
        is_news = False
        async for heard in self.bus.follow(INVENTORY.under(_NODE, fleet.DRIVER)):
            if isinstance(heard, CaughtUp):
                is_news = True
            elif is_news and isinstance(heard.fact, PoolObserved):
                return heard.fact
        raise AssertionError("following never ends")

    async def forget(self) -> None:
        """As on a machine that has never told anything."""
        await self.bus.commit([Write(INVENTORY, (_NODE, fleet.DRIVER), None)])
        shutil.rmtree(self.state.parent)
        self.state.parent.mkdir()


async def starts(machine: Machine) -> Row:
    found = []
    for _ in range(RUNS):
        await machine.forget()
        async with machine.agent() as agent:
            found.append(agent.seconds * 1000)
    return Row(
        case="start of the agent to its first fact", figure=min(found), unit="ms", target=500, theirs="1,080"
    )


async def changes(machine: Machine) -> tuple[Row, ...]:
    """XIDs and recoveries on one GPU, each told before the next: the fact as a follower hears it."""
    file, found = StateFile(machine.state), []
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def hear() -> None:
        async for one in machine.bus.follow(INVENTORY.under(_NODE, fleet.DRIVER)):
            heard.put_nowait(time.perf_counter() if not isinstance(one, CaughtUp) else 0.0)

    following = asyncio.ensure_future(hear())
    while await heard.get():
        pass
    for number in range(_CHANGES):
        await asyncio.sleep(0.7)  # beyond what discovery allows at once: bursts are held to a pace by design
        fault = ("lost", "recover")[number % 2]
        begun = time.perf_counter()
        file.change(lambda state, fault=fault: faults.befallen(state, 3, fault))  # type: ignore[misc]
        async with asyncio.timeout(10):
            found.append((await heard.get() - begun) * 1000)
    following.cancel()
    return (
        Row(
            case="a GPU is lost or back, to the fact: p50",
            figure=statistics.median(found),
            unit="ms",
            target=20,
            theirs="710",
        ),
        Row(case="the same, p99", figure=sorted(found)[int(len(found) * 0.99)], unit="ms", target=100),
    )


async def rests(agent: Agent) -> tuple[Row, ...]:
    before, begun = agent.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(_IDLE_SECONDS)
    share = (agent.cpu_seconds() - before) / (time.perf_counter() - begun) * 100
    return (
        Row(case="memory of the agent, resident", figure=agent.resident_mebibytes(), unit="MiB", target=60),
        Row(case="the same, without what it shares", figure=megabytes((agent.pid,)), unit="MB"),
        Row(case="an agent with nothing to do", figure=share, unit="% core", target=0.3),
    )


async def resyncs(bus: NatsBus, url: str, nodes: int) -> Row:
    """A fresh follower hears what the whole fleet is."""
    for start in range(0, nodes, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, nodes))
        pools = [fleet.pool(number) for number in numbers]
        await bus.commit([Write(INVENTORY, INVENTORY.key(pool), pool) for pool in pools])
    found = []
    for _ in range(RUNS):
        async with connected(url, name="fresh", patience_seconds=10) as fresh:
            begun, count = time.perf_counter(), 0
            async for heard in fresh.follow(INVENTORY):
                if isinstance(heard, CaughtUp):
                    break
                count += heard.fact is not None
            assert count >= nodes, f"{count} of {nodes} nodes were heard"
            found.append((time.perf_counter() - begun) * 1000)
    return Row(case=f"everything heard anew, {nodes:,} nodes of 8", figure=min(found), unit="ms")


async def sizes(folder: Path) -> tuple[Row, ...]:
    """As discovery itself writes them, of 8 H100 that are whole, and that offer every partition."""
    policy = folder / "policy.yaml"
    policy.write_text(
        "apiVersion: slicewire.dev/v1alpha1\nkind: NodePolicy\ndefault: {partitions: dynamic}\n"
    )
    whole, cut = await _size(), await _size("--policy", str(policy))
    return (
        Row(case="a fact of 8 H100", figure=whole / 1024, unit="KiB"),
        Row(case="the same with every MIG placement", figure=cut / 1024, unit="KiB"),
    )


async def _size(*options: str) -> int:
    process = await asyncio.create_subprocess_exec(
        str(_DISCOVERY),
        *("--once", "--profile", "h100", *options),
        env={"PATH": os.environ["PATH"], "SLICEWIRE_NODE_NAME": _NODE},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return len(wire.encode(wire.decode(told, PoolObserved)))


async def measured() -> tuple[Row, ...]:
    with tempfile.TemporaryDirectory(prefix="slicewire-bench-") as name:
        folder = Path(name)
        async with (
            brokers.running(folder / "nats") as broker,
            connected(broker.url, name="bench", patience_seconds=10) as bus,
        ):
            machine = Machine(folder, broker.url, bus)
            rows = [await starts(machine)]
            await machine.forget()
            async with machine.agent() as agent:
                rows += await changes(machine)
                rows += await rests(agent)
            rows += [await resyncs(bus, broker.url, nodes) for nodes in sorted({min(1000, NODES), NODES})]
            return (*rows, *await sizes(folder))


def _told(row: Row) -> str:
    return f"{row.figure:,.0f} {row.unit}" if row.figure >= 100 else f"{row.figure:.3g} {row.unit}"


def main() -> None:
    rows = asyncio.run(measured())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "measured", "aim", "NVIDIA's driver", ""):
        table.add_column(column, justify="left" if column in ("case", "") else "right")
    for row in rows:
        aim = "-" if row.target is None else f"{row.target:g} {row.unit}"
        verdict = "" if row.target is None else "met" if row.is_met else "missed"
        table.add_row(row.case, _told(row), aim, row.theirs, verdict)
    Console().print(table)
    aims = [row for row in rows if row.target is not None]
    print(f"targets met: {sum(row.is_met for row in aims)} of {len(aims)}")


if __name__ == "__main__":
    main()
