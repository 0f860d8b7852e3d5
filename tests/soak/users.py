"""Everybody around the allocators: users over the bus, the publisher, discovery. They write down what
they were told, and ask again until they are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar, assert_never

import msgspec

from slicewire.common.bus.link import ApiFault
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable, CaughtUp, Committed, Declined, Write
from slicewire.common.messages import (
    ALLOCATE,
    ANSWERS,
    CLAIMS,
    INVENTORY,
    NODES,
    RELEASE,
    SLICEWIRE,
    AllocateReply,
    AllocateRequest,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimRef,
    Fact,
    NodeObserved,
    ReleaseRequest,
)
from slicewire.common.model import ClaimUID, ResourceClaim
from tests.soak import history, plan
from tests.soak.evidence import Acknowledged, Entry, Released, Releasing, Told, Unanswered

T = TypeVar("T")
_PATIENCE_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_OVERTIME_SECONDS = 40.0
"""How long a question may still be asked again once the run is over and everything is well."""


class Users:
    """All of them together: they share some connections, a log, and the answers as they are told."""

    def __init__(self, buses: Sequence[NatsBus]) -> None:
        self.log: list[Entry] = []
        self.done: Counter[str] = Counter()
        self.answers: dict[ClaimUID, ClaimAnswered] = {}
        self._shown: dict[ClaimUID, int] = {}
        """The sequence of each claim of Kubernetes as it was last told."""
        self._buses = buses
        self._turn = 0
        self._known = 0
        """The state is at least at this sequence."""
        self.over = asyncio.Event()

    async def live(self, operations: Iterator[plan.Operation], pace: Random) -> None:
        """One after the other, until the run is over."""
        for operation in operations:
            await self._do(operation)
            self.done[type(operation).__name__] += 1
            if await self._over_after(pace.uniform(0.02, 0.12)):
                return

    async def _over_after(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def listen(self) -> None:
        """For ever: what the allocators answer."""
        async for heard in self._bus().follow(ANSWERS):
            if isinstance(heard, CaughtUp):
                continue
            if heard.fact is None:
                self.answers.pop(ClaimUID(heard.key[0]), None)
            else:
                self.answers[ClaimUID(heard.key[0])] = heard.fact

    async def _do(self, operation: plan.Operation) -> None:
        match operation:
            case plan.Ask():
                times = 2 if operation.twice else 1
                await asyncio.gather(*(self._ask(operation.claims) for _ in range(times)))
            case plan.Release():
                await self._release(operation.uid)
            case plan.Show():
                for claim in operation.claims:
                    await self._show(claim, operation.decided_by, operation.together)
            case plan.Confirm():
                await self._confirm(operation.claim, operation.together)
            case plan.GiveBack():
                await self._show(operation.claim, operation.decided_by, operation.together)
            case plan.End():
                await self.tell(CLAIMS, (operation.uid,), None)
            case plan.Observe():
                await self.tell(INVENTORY, operation.key, operation.pool)
            case plan.Assign():
                node = NodeObserved(name=operation.node, uid=operation.node, allocation=operation.allocation)
                await self.tell(NODES, (operation.node,), node)
            case _:
                assert_never(operation)

    async def _ask(self, claims: tuple[ResourceClaim, ...]) -> None:
        async def attempt(bus: NatsBus) -> tuple[ClaimAnswered, ...] | str | None:
            reply = await bus.ask(ALLOCATE, AllocateRequest(claims=claims), timeout_seconds=_PATIENCE_SECONDS)
            if isinstance(reply, AllocateReply):
                return reply.answers
            return None if reply.code == 503 else reply.reason

        answers = await self._until(claims[0].uid, "allocate", attempt)
        if isinstance(answers, str):
            self.log += [Unanswered(claim.uid, answers) for claim in claims]
        elif isinstance(answers, tuple):
            by = await self._now(claims[0].uid)
            for answer in answers:
                results = answer.allocation.devices.results if answer.allocation else None
                self.log.append(Acknowledged(answer.claim.uid, by, results))

    async def _release(self, uid: ClaimUID) -> None:
        self.log.append(Releasing(uid, self._known))

        async def attempt(bus: NatsBus) -> bool | str | None:
            reply = await bus.ask(
                RELEASE, ReleaseRequest(claim=ClaimRef(uid=uid)), timeout_seconds=_PATIENCE_SECONDS
            )
            match reply:
                case Declined(code=404):  # by one that has not heard of it yet, or no more
                    return await history.is_null(bus.link, CLAIMS.subject(uid)) or None
                case Declined(code=503):
                    return None
                case Declined():
                    return reply.reason
            return True

        done = await self._until(uid, "release", attempt)
        if isinstance(done, str):
            self.log.append(Unanswered(uid, done))
        elif done:
            self.log.append(Released(uid, await self._now(uid)))

    async def _show(self, claim: ResourceClaim, decided_by: str, together: tuple[ClaimUID, ...]) -> None:
        fact = ClaimObserved(claim=claim, decided_by=decided_by, together=together)
        self._shown[claim.uid] = await self.tell(CLAIMS, (claim.uid,), fact)

    async def _confirm(self, claim: ResourceClaim, together: tuple[ClaimUID, ...]) -> None:
        """As the publisher, only an answer to the claim as it was last told."""
        answer = self.answers.get(claim.uid)
        if answer is None or answer.allocation is None or answer.claim_sequence != self._shown[claim.uid]:
            return
        status = msgspec.structs.replace(claim.status, allocation=answer.allocation)
        await self._show(msgspec.structs.replace(claim, status=status), SLICEWIRE, together)

    async def tell(self, channel: Channel[Any], key: tuple[str, ...], fact: Fact | None) -> int:
        """As long as it takes: a fact that may have been kept is told again."""

        async def attempt(bus: NatsBus) -> int:
            done = await bus.commit([Write(channel, key, fact)])
            assert isinstance(done, Committed)
            return done.sequence

        sequence = await self._until(ClaimUID("/".join(key)), f"tell {channel.kind}", attempt)
        if sequence is None:
            return 0
        self._known = max(self._known, sequence)
        self.log.append(Told(f"{channel.kind} {'/'.join(key)}", sequence))
        return sequence

    async def _now(self, uid: ClaimUID) -> int:
        """A sequence that the state had reached after everything that was answered so far."""

        async def attempt(bus: NatsBus) -> int:
            return await history.last_sequence(bus.link)

        self._known = max(self._known, await self._until(uid, "look", attempt) or 0)
        return self._known

    async def _until(
        self, uid: ClaimUID, what: str, attempt: Callable[[NatsBus], Awaitable[T | None]]
    ) -> T | None:
        """Again and again, over another connection each time; None once it is hopeless, which is said."""
        loop = asyncio.get_running_loop()
        overtime = 0.0
        while True:
            try:
                if (done := await attempt(self._bus())) is not None:
                    return done
            except (BusUnavailable, ApiFault):
                self.done["asked again"] += 1
            if self.over.is_set():
                overtime = overtime or loop.time() + _OVERTIME_SECONDS
                if loop.time() > overtime:
                    self.log.append(Unanswered(uid, f"{what}: asked again and again"))
                    return None
            await asyncio.sleep(_AGAIN_SECONDS)

    def _bus(self) -> NatsBus:
        self._turn += 1
        return self._buses[self._turn % len(self._buses)]
