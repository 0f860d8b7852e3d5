"""What the publisher costs beside publishing: a round of the roll-call, and thousands of gated pods."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from slicewire.client.local import broker as brokers
from slicewire.client.local.memory import megabytes
from slicewire.common.bus.nats import connected
from slicewire.common.messages import ALIVE, ALLOCATION_LABEL, CLAIMS, AliveReply, AliveRequest, PoolObserved
from slicewire.common.model import (
    ClaimUID,
    DriverName,
    NodeName,
    ObjectMeta,
    PoolName,
    ResourceClaim,
)
from slicewire.publisher import watched
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.pods import Pod, PodResourceClaim, PodSchedulingGate, PodSpec
from slicewire.publisher.facts import fact_of
from slicewire.publisher.keys import FactKey, Key, PoolKey
from slicewire.publisher.rollcall import RollCall

GATED = 5000
_DRIVER = DriverName("gpu.nvidia.com")
_ROUNDS = 3
_CREATED = "2026-11-24T10:00:00Z"
_TICKS = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct, frozen=True):
    case: str
    figure: float
    unit: str


async def roll_call(agents: int) -> list[Figure]:
    """Every agent is asked at once; the best of some rounds."""
    with tempfile.TemporaryDirectory() as folder:
        async with brokers.running(Path(folder)) as broker:
            before = megabytes((broker.pid,))
            async with _agents(broker.url, agents) as process, connected(broker.url, name="bench") as bus:
                grown = megabytes((broker.pid,)) - before
                cluster = Cluster()
                for number in range(agents):
                    key = PoolKey(NodeName(f"node-{number}"), _DRIVER)
                    cluster.pools[key] = _pool(key)
                calls = RollCall(bus, cluster, 30)
                calls.begin()
                rounds = [await _round(calls, broker.pid, process.pid) for _ in range(_ROUNDS)]
                assert cluster.attendance is not None
                assert len(cluster.attendance.present) == agents
    name = f"a roll-call of {agents:,} agents"
    ours, server, theirs = (min(found) for found in zip(*rounds, strict=True))
    return [
        Figure(f"{name}: CPU of the publisher", ours, "s"),
        Figure(f"{name}: CPU of nats-server", server, "s"),
        Figure(f"{name}: CPU of all agents", theirs, "s"),
        Figure(f"{name}: memory they are to nats-server", grown, "MB"),
    ]


async def _round(calls: RollCall, server: int, agents: int) -> tuple[float, float, float]:
    begun = time.process_time(), _cpu(server), _cpu(agents)
    await calls.once(_nobody)
    ended = time.process_time(), _cpu(server), _cpu(agents)
    ours, theirs, others = (after - before for before, after in zip(begun, ended, strict=True))
    return ours, theirs, others


def _nobody(_keys: object) -> None:
    """Has anything to look at."""


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _pool(key: PoolKey) -> PoolObserved:
    return PoolObserved(node=key.node, driver=key.driver, pool=PoolName(key.node), generation=1, answers=True)


@asynccontextmanager
async def _agents(url: str, number: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """All of them in a process of their own, which says when they can be asked."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.upkeep", url, str(number)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        await process.wait()


async def _answer(url: str, number: int) -> None:
    async def alive(_asked: AliveRequest) -> AliveReply:
        return AliveReply(node=NodeName("any"), driver=_DRIVER, generation=1)

    async with connected(url, name="agents") as bus, AsyncExitStack() as serving:
        for index in range(number):
            await serving.enter_async_context(
                bus.serve({ALIVE: alive}, f"node-{index}", _DRIVER, name="discovery")
            )
        print("ready", flush=True)
        await asyncio.Event().wait()


def gated_pods() -> list[Figure]:
    """Claims and pods as a first list shows them, then what is told of each claim; the best of some."""
    return [Figure(f"{GATED:,} gated pods seen, and told of: CPU", min(map(_gated, range(_ROUNDS))), "s")]


def _gated(_time: int) -> float:
    cluster = Cluster()
    begun = time.process_time()
    keys: set[Key] = set(cluster.listed(watched.CLAIMS[0], [_claim(number) for number in range(GATED)]))
    keys.update(cluster.listed(watched.PODS, [_pod(number) for number in range(GATED)]))
    told = [fact_of(key, cluster) for key in keys if isinstance(key, FactKey) and key.kind == CLAIMS.kind]
    assert len(told) == GATED
    return time.process_time() - begun


def _meta(name: str) -> ObjectMeta:
    return ObjectMeta(
        name=name, namespace="bench", uid=name, resource_version="1", creation_timestamp=_CREATED
    )


def _claim(number: int) -> ResourceClaim:
    return ResourceClaim(
        metadata=msgspec.structs.replace(_meta(f"claim-{number}"), uid=ClaimUID(f"{number}"))
    )


def _pod(number: int) -> Pod:
    entry = PodResourceClaim(name="gpu", resource_claim_name=f"claim-{number}")
    gate = PodSchedulingGate(name=ALLOCATION_LABEL)
    return Pod(
        metadata=_meta(f"pod-{number}"), spec=PodSpec(scheduling_gates=(gate,), resource_claims=(entry,))
    )


if __name__ == "__main__":
    asyncio.run(_answer(sys.argv[1], int(sys.argv[2])))
