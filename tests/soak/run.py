"""Prove on real processes that nothing is given twice: `python -m tests.soak.run --seed 1 --duration 60`.

Allocators and a server that are killed, paused and slowed down, users who ask all the while; then the
whole history goes to the checker. The last line is `violations: N`. With violations the exit status is
1, and the evidence stays in a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from slicewire.common import logs
from slicewire.common.bus.link import ApiFault
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.messages import CLASSES, INVENTORY, STATE_STREAM, ClassObserved
from slicewire.common.model import ClaimUID, wire
from tests.soak import checker, cluster, fleet, history, plan, slowdisk
from tests.soak.evidence import Entry, Unanswered
from tests.soak.users import Users

_BUS_LANES, _KUBERNETES_LANES = 14, 4
_CONNECTIONS = 4
_QUIET_SECONDS = 3.0
_MOST_WAIT_SECONDS = 90.0
_LOOK_SECONDS = 0.25


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    seed: int
    duration_seconds: float
    allocators: int = 3
    program: str = cluster.ALLOCATOR
    progress_seconds: float = 5.0


async def run(settings: Settings, say: Callable[[str], None]) -> tuple[str, ...]:
    """Everything that went wrong. The history and the log are in the folder afterwards."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            cluster.running(settings.folder, settings.allocators, settings.program)
        )
        buses = [
            await stack.enter_async_context(
                connected(running.broker.url, name=f"user-{number}", patience_seconds=20)
            )
            for number in range(_CONNECTIONS)
        ]
        await _keep_everything(buses[0])
        users = Users(buses)
        await _soak(settings, running, users, say)
        await _quiet(buses[0], users.log)
        count = await history.save(buses[0].link, settings.folder / "history.jsonl")
    say(f"{count} facts in the history, {len(users.log)} acknowledgements")
    _save(users.log, settings.folder / "log.jsonl")
    return checker.violations(history.load(settings.folder / "history.jsonl"), users.log)


async def _keep_everything(bus: NatsBus) -> None:
    """So that the history misses nothing, however slow it becomes: the state keeps what is superseded."""
    config = (await bus.link.api(f"STREAM.INFO.{STATE_STREAM}", {}))["config"]
    await bus.link.api(f"STREAM.UPDATE.{STATE_STREAM}", {**config, "max_msgs_per_subject": -1})


async def _soak(
    settings: Settings, running: cluster.Cluster, users: Users, say: Callable[[str], None]
) -> None:
    for device_class in fleet.classes():
        key = (device_class.metadata.name,)
        await users.tell(CLASSES, key, ClassObserved(device_class=device_class))
    for place, pool in fleet.pools().items():
        await users.tell(INVENTORY, place, pool)
    suffered: Counter[str] = Counter()
    seed = settings.seed
    lanes = [plan.over_the_bus(seed, lane) for lane in range(_BUS_LANES)]
    lanes += [plan.through_kubernetes(seed, lane) for lane in range(_KUBERNETES_LANES)]
    lanes.append(plan.inventory(seed))
    listening = asyncio.create_task(users.listen())
    telling = asyncio.create_task(_progress(settings, users, suffered, say))
    async with asyncio.TaskGroup() as tasks:
        for number, operations in enumerate(lanes):
            tasks.create_task(users.live(operations, Random(f"{seed}/pace/{number}")))
        await _faults(settings, running, suffered)
        users.over.set()
    for task in (listening, telling):
        task.cancel()
    await asyncio.gather(listening, telling, return_exceptions=True)
    say(_state(users, suffered))


async def _faults(settings: Settings, running: cluster.Cluster, suffered: Counter[str]) -> None:
    """Returns when the time is over and nothing ails any more."""
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.duration_seconds
    async with asyncio.TaskGroup() as tasks:
        for fault in plan.faults(settings.seed, settings.allocators):
            if loop.time() + fault.after_seconds + fault.seconds > end:
                break
            await asyncio.sleep(fault.after_seconds)
            suffered[fault.what] += 1
            tasks.create_task(running.suffer(fault), name=fault.what)
        await asyncio.sleep(max(0.0, end - loop.time()))


async def _progress(
    settings: Settings, users: Users, suffered: Counter[str], say: Callable[[str], None]
) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        await asyncio.sleep(settings.progress_seconds)
        say(f"{loop.time() - begun:4.0f} s: {_state(users, suffered)}")


def _state(users: Users, suffered: Counter[str]) -> str:
    done = ", ".join(f"{count} {name}" for name, count in sorted(users.done.items()))
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(suffered.items()))
    return f"{done}; {len(users.answers)} claims have answers; faults: {faults or 'none'}"


async def _quiet(bus: NatsBus, log: list[Entry]) -> None:
    """Until nobody has anything left to do, and the history has all of it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _MOST_WAIT_SECONDS
    last, since = -1, loop.time()
    while loop.time() < end:
        try:
            now, idle = await history.last_sequence(bus.link), await _is_idle(bus)
        except (BusUnavailable, ApiFault):
            now, idle = -1, False
        if now != last or not idle:
            last, since = now, loop.time()
        elif loop.time() - since > _QUIET_SECONDS:
            return
        await asyncio.sleep(_LOOK_SECONDS)
    log.append(Unanswered(ClaimUID("all"), f"not quiet after {_MOST_WAIT_SECONDS:.0f} s"))


async def _is_idle(bus: NatsBus) -> bool:
    """Every claim fact has been taken and ended, and the history is up to date."""
    taken: dict[str, Any] = await bus.link.api(f"CONSUMER.INFO.{STATE_STREAM}.allocator-claim", {})
    waiting = taken["num_pending"] + taken["num_ack_pending"]
    return not waiting and not await history.source_lag(bus.link)


def _save(log: list[Entry], path: Path) -> None:
    path.write_bytes(b"".join(wire.encode(entry) + b"\n" for entry in log))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what is done, and what fails (default 1)")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds (default 60)")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slicewire-soak-"))
    settings = Settings(folder=folder, seed=asked.seed, duration_seconds=asked.duration)
    logs.start("ERROR", "text")  # that the bus is away is what is meant to happen
    say = _saying
    disk = "yes" if slowdisk.available() else "not on this system"
    say(f"seed {asked.seed}, {asked.duration:.0f} s, slow disk: {disk}")
    found = asyncio.run(run(settings, say))
    for violation in found:
        say(violation)
    if found:
        say(f"history, log and the processes' own logs: {folder}")
    else:
        shutil.rmtree(folder)
    say(f"violations: {len(found)}")
    return 1 if found else 0


def _saying(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
