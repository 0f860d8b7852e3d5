"""One client process of `service.py`: asks for claims over the bus, and says how long each answer took.

    python -m bench.load URL NAME saturated|mixed|steady AMOUNT

Says `ready` on standard output, begins at a line on standard input, and ends with one line of JSON.
`saturated`: AMOUNT claims, as many as are in flight at once. `mixed`: the same, each given back later.
`steady`: 200 a second for AMOUNT seconds, each timed from when it was due, not from when it was sent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator

from bench.fleet import claim
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Declined
from slicewire.common.messages import ALLOCATE, RELEASE, AllocateRequest, ClaimRef, ReleaseRequest
from slicewire.common.model import ClaimUID

IN_FLIGHT = 128
A_SECOND = 200
_KEPT = 2000
"""Claims that a `mixed` client holds before it gives one back for each new one."""


class Client:
    def __init__(self, bus: NatsBus, name: str) -> None:
        self._bus = bus
        self._name = name
        self.held: deque[str] = deque()
        self.seconds: list[float] = []
        self.released = 0

    async def allocate(self, number: int, due: float) -> None:
        name = f"{self._name}-{number}"
        reply = await self._bus.ask(ALLOCATE, AllocateRequest(claims=(claim(name),)), timeout_seconds=60)
        if isinstance(reply, Declined) or reply.answers[0].allocation is None:
            raise SystemExit(f"claim {name} was not allocated: {reply}")
        self.seconds.append(time.perf_counter() - due)
        self.held.append(name)

    async def release(self) -> None:
        uid = ClaimUID(self.held.popleft())
        reply = await self._bus.ask(RELEASE, ReleaseRequest(claim=ClaimRef(uid=uid)), timeout_seconds=60)
        if isinstance(reply, Declined):
            raise SystemExit(f"claim {uid} was not released: {reply}")
        self.released += 1

    async def saturate(self, amount: int, *, mixed: bool) -> None:
        numbers = iter(range(amount))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(self._keep_asking(numbers, mixed=mixed))

    async def _keep_asking(self, numbers: Iterator[int], *, mixed: bool) -> None:
        for number in numbers:
            await self.allocate(number, time.perf_counter())
            if mixed and len(self.held) > _KEPT:
                await self.release()

    async def steadily(self, seconds: int) -> None:
        """Arrivals that wait for nobody: an answer that is late holds up no question."""
        async with asyncio.TaskGroup() as tasks:
            async for number, due in _arrivals(seconds * A_SECOND):
                tasks.create_task(self.allocate(number, due))

    async def give_all_back(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(self._keep_releasing())

    async def _keep_releasing(self) -> None:
        while self.held:
            await self.release()


async def _arrivals(amount: int) -> AsyncIterator[tuple[int, float]]:
    begun = time.perf_counter()
    for number in range(amount):
        due = begun + number / A_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield number, due


async def main(url: str, name: str, mode: str, amount: int) -> None:
    async with connected(url, name=name, patience_seconds=10) as bus:
        client = Client(bus, name)
        loop = asyncio.get_running_loop()
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        gc.collect()
        gc.freeze()
        begun = time.perf_counter()
        if mode == "steady":
            await client.steadily(amount)
        else:
            await client.saturate(amount, mixed=mode == "mixed")
        told = {"seconds": time.perf_counter() - begun, "took": client.seconds, "released": client.released}
        print(json.dumps(told), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        await client.give_all_back()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
