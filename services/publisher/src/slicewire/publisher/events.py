"""Events out: told beside the work, and never in its way.

What is the same within a minute is counted and told once; more than the pace allows, and what Kubernetes
does not take, is dropped: an Event is for people to read, and nobody decides by it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from slicewire.common.logs import Log
from slicewire.common.model import wire
from slicewire.common.model.struct import Object
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, NotLeading
from slicewire.publisher.core.occurrences import Occurrence, event, name_of, namespace_of, series
from slicewire.publisher.kube import Kube
from slicewire.publisher.moments import micro_time
from slicewire.publisher.pacing import Pace

_AGAIN_SECONDS = 60.0
_MOST_WAITING = 1000
_MOST_REMEMBERED = 4096
_A_SECOND = 10.0
_BURST = 50
_FAULTS = (ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, NotLeading, wire.Malformed)
_log = Log("publisher.events")


class _Series(Object, frozen=True):
    count: int = 1


class _Stored(Object, frozen=True):
    series: _Series = msgspec.field(default_factory=_Series)


class _Count:
    """How often something was seen, and when it was last told."""

    def __init__(self) -> None:
        self.seen = 0
        self.told = 0
        self.told_at = float("-inf")


class Events:
    def __init__(self, api: Kube, instance: str) -> None:
        self._api = api
        self._instance = instance
        self._pace = Pace(_A_SECOND, _BURST)
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._waiting: asyncio.Queue[Occurrence] = asyncio.Queue(_MOST_WAITING)

    def tell(self, occurrences: Iterable[Occurrence]) -> None:
        """Returns at once."""
        for occurrence in occurrences:
            count = self._count(name_of(occurrence))
            count.seen += 1
            if asyncio.get_running_loop().time() - count.told_at < _AGAIN_SECONDS:
                continue
            with suppress(asyncio.QueueFull):
                self._waiting.put_nowait(occurrence)
                count.told_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """For ever."""
        while True:
            occurrence = await self._waiting.get()
            await self._pace.turn()
            try:
                await self._tell(occurrence, self._count(name_of(occurrence)))
            except _FAULTS as error:
                _log.debug("event not told", reason=occurrence.reason, error=str(error))

    async def _tell(self, occurrence: Occurrence, count: _Count) -> None:
        collection = f"/apis/events.k8s.io/v1/namespaces/{namespace_of(occurrence)}/events"
        path = f"{collection}/{name_of(occurrence)}"
        try:
            if not count.told:
                await self._api.create(collection, event(occurrence, self._instance, micro_time()))
        except ApiConflict:  # of another publisher, or of us before a restart
            count.told = wire.decode(await self._api.get(path), _Stored).series.count
            count.seen += count.told
        if count.told:
            await self._api.patch(path, series(count.seen, micro_time()))
        count.told = count.seen

    def _count(self, name: str) -> _Count:
        count = self._counts.pop(name, None) or _Count()
        self._counts[name] = count
        if len(self._counts) > _MOST_REMEMBERED:
            self._counts.popitem(last=False)
        return count
