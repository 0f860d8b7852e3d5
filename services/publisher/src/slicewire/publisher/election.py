"""One publisher of several writes: the holder of a Lease. The others follow along, ready to take over.

What keeps a stale leader from doing harm, in order:

1. The door to Kubernetes asks `seconds_left` before each write, and gives the write up when they are over.
   They end a third of the lease before another may take it.
2. A write that is late all the same (a process that was stopped between the question and the write) names
   the version of the object it was made for, and is refused where a new leader has changed it; a slice that
   it creates a second time is found as a duplicate and removed. On the bus it names the sequence it saw.

Refuses to trust the clock of another machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from slicewire.common.logs import Log
from slicewire.common.model import ObjectMeta, wire
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable
from slicewire.publisher.core import lease as leases
from slicewire.publisher.core.lease import Candidate, Lease, Wait
from slicewire.publisher.kube import Kube
from slicewire.publisher.moments import micro_time

_GROUP = "/apis/coordination.k8s.io/v1"
Clock = Callable[[], float]
_log = Log("publisher.election")


class Leadership(Protocol):
    """Whether this process may write."""

    def seconds_left(self) -> float:
        """For how long from now; none when another leads, or may."""

    async def run(self) -> None:
        """Stand for election, for ever."""

    async def gained(self) -> None:
        """Returns once this process leads."""

    async def lost(self) -> None:
        """Returns once it does not."""


class Alone:
    """Leads always: where an operator runs a single publisher."""

    def seconds_left(self) -> float:
        return float("inf")

    async def run(self) -> None:
        """There is nobody to vote."""

    async def gained(self) -> None:
        """From the start."""

    async def lost(self) -> None:
        await asyncio.Event().wait()


class Election:
    """Stands for the lease `namespace/name`."""

    def __init__(
        self, api: Kube, candidate: Candidate, namespace: str, name: str, clock: Clock = time.monotonic
    ) -> None:
        self._api = api
        self._candidate = candidate
        self._collection = f"{_GROUP}/namespaces/{namespace}/leases"
        self._meta = ObjectMeta(name=name, namespace=namespace)
        self._clock = clock
        self._seen = ("", clock())
        """The version of the lease, and since when we have known it."""
        self._until = 0.0
        self._leads = asyncio.Event()
        self._waits = asyncio.Event()
        self._waits.set()
        self._holder: str | None = None
        self._holder_seconds = candidate.seconds

    def seconds_left(self) -> float:
        return max(self._until - self._clock(), 0.0)

    async def gained(self) -> None:
        await self._leads.wait()

    async def lost(self) -> None:
        await self._waits.wait()

    async def run(self) -> None:
        try:
            while True:
                await self._stand()
                await asyncio.sleep(self._rest())
        finally:
            self._show()

    async def resign(self) -> None:
        """Let the next take over at once. Whatever fails: the lease runs out by itself."""
        self._until = 0.0
        self._show()
        try:
            found = await self._read()
            given = leases.resigned(found, self._candidate) if found is not None else None
            if given is not None:
                await self._api.replace(self._path, wire.document(given))
        except (ApiUnavailable, ApiConflict, ApiNotFound, ApiRejected, wire.Malformed) as error:
            _log.info("lease not given back, it runs out", reason=str(error))

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._meta.name}"

    def _rest(self) -> float:
        """Until the next look: no later than the end of our lead, or of the lease that we wait out."""
        pace = leases.pace_seconds(self._candidate)
        return min(pace, self.seconds_left() or self._until_free()) or pace

    def _until_free(self) -> float:
        return max(self._seen[1] + self._holder_seconds - self._clock(), 0.0)

    async def _stand(self) -> None:
        begun = self._clock()
        try:
            async with asyncio.timeout(self.seconds_left() or None):
                if await self._look():
                    self._until = begun + leases.margin_seconds(self._candidate)
        except (ApiConflict, ApiNotFound) as error:
            _log.info("lease has moved on", reason=str(error))
        except (ApiUnavailable, ApiRejected, wire.Malformed, TimeoutError) as error:
            _log.warning("lease cannot be read or written", lease=self._path, reason=str(error))
        self._show()

    async def _look(self) -> bool:
        """Whether the lease is ours, as the server has just said."""
        found = await self._read()
        step = leases.next_step(found, self._candidate, self._unchanged_seconds(found))
        if isinstance(step, Wait):
            assert found is not None, "only a lease that is there is waited for"
            self._heard_holder(step.holder, found.spec.lease_duration_seconds)
            return False
        wanted = wire.document(leases.held(step, found, self._candidate, micro_time(), self._meta))
        if found is None:
            answer = await self._api.create(self._collection, wanted)
        else:
            answer = await self._api.replace(self._path, wanted)
        self._unchanged_seconds(wire.decode(answer, Lease))
        return True

    async def _read(self) -> Lease | None:
        try:
            return wire.decode(await self._api.get(self._path), Lease)
        except ApiNotFound:
            return None

    def _unchanged_seconds(self, found: Lease | None) -> float:
        version = found.metadata.resource_version if found is not None else ""
        if self._seen[0] != version:
            self._seen = version, self._clock()
        return self._clock() - self._seen[1]

    def _heard_holder(self, holder: str, seconds: int) -> None:
        self._until = 0.0
        self._holder_seconds = seconds or self._candidate.seconds
        if holder != self._holder:
            self._holder = holder
            _log.info("another leads", holder=holder)

    def _show(self) -> None:
        leads = self.seconds_left() > 0
        if leads and not self._leads.is_set():
            self._holder = self._candidate.identity
            _log.info("leading", lease=self._path, identity=self._candidate.identity)
        if not leads and self._leads.is_set():
            _log.warning("no longer leading", lease=self._path, identity=self._candidate.identity)
        for event, state in ((self._leads, leads), (self._waits, not leads)):
            event.set() if state else event.clear()


@asynccontextmanager
async def resigning(leadership: Election | Alone) -> AsyncIterator[Election | Alone]:
    """At the end of the block the lease is given back."""
    try:
        yield leadership
    finally:
        if isinstance(leadership, Election):
            await leadership.resign()
