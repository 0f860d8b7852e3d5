"""The publisher: keeps Kubernetes and the stream telling the same, by comparing, never by memory.

Events only wake it: each names keys to look at, and a look compares what is with what should be. So a
restart, a lost watch and a changed object are the same path, and doing it twice does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from slicewire.common import telemetry
from slicewire.common.bus.port import Bus, BusUnavailable, CaughtUp, Committed, Write
from slicewire.common.logs import Log
from slicewire.common.messages import ANSWERS, CLAIMS, CLASSES, INVENTORY, NODES, TAINT_RULES, Channel
from slicewire.publisher import watched
from slicewire.publisher.binding import Binding
from slicewire.publisher.cluster import Cluster, FactKey, Key, PodKey, PoolKey, is_from_kubernetes
from slicewire.publisher.facts import fact_of
from slicewire.publisher.kube import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, Kube
from slicewire.publisher.publishing import Slices
from slicewire.publisher.served import follow_served
from slicewire.publisher.worklist import Again, Worklist

_FOLLOWED: tuple[Channel[Any], ...] = (INVENTORY, ANSWERS, NODES, CLASSES, TAINT_RULES, CLAIMS)
_WATCHED: tuple[watched.Kind[Any], ...] = (
    watched.NODES,
    watched.CLASSES,
    watched.CLAIMS,
    watched.PODS,
    watched.SLICES,
)
_CHANNELS: dict[str, Channel[Any]] = {
    channel.kind: channel for channel in (NODES, CLASSES, TAINT_RULES, CLAIMS)
}
_CONFLICT_SECONDS = 0.05
_REJECTED_SECONDS = 30.0
_log = Log("publisher")


class Publisher:
    def __init__(self, bus: Bus, api: Kube, workers: int) -> None:
        self._bus = bus
        self._api = api
        self._workers = workers
        self._cluster = Cluster()
        self._slices = Slices(api, self._cluster)
        self._binding = Binding(api, self._cluster)
        self._worklist: Worklist[Key] = Worklist()
        self._unsynced = {kind.name for kind in (*_WATCHED, *watched.TAINT_RULES)} | {"bus"}
        self._synced = asyncio.Event()

    def is_ready(self) -> bool:
        """Both sides have been seen whole."""
        return self._synced.is_set()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_bus())
            for kind in _WATCHED:
                tasks.create_task(self._follow_kind(kind, self._api.follow(kind)))
            rules = watched.TAINT_RULES
            tasks.create_task(self._follow_kind(rules[0], follow_served(self._api, rules)))
            await self._synced.wait()
            _log.info("both sides are known", nodes=len(self._cluster.nodes), pools=len(self._cluster.pools))
            self._wake(self._cluster.every_key())
            tasks.create_task(self._worklist.work(self._look, self._workers))

    async def _follow_bus(self) -> None:
        async for heard in self._bus.follow(*_FOLLOWED):
            if isinstance(heard, CaughtUp):
                self._have("bus")
            else:
                self._wake(self._cluster.hear(heard))

    async def _follow_kind(self, kind: watched.Kind[Any], events: AsyncIterator[watched.Event]) -> None:
        async for event in events:
            match event:
                case watched.Listed(objects):
                    self._wake(self._cluster.listed(kind, objects))
                    self._have(kind.name)
                case watched.Seen(found):
                    self._wake(self._cluster.seen(kind, found))
                case watched.Gone(found):
                    self._wake(self._cluster.gone(kind, found))

    def _have(self, side: str) -> None:
        self._unsynced.discard(side)
        if not self._unsynced:
            self._synced.set()

    def _wake(self, keys: Iterable[Key]) -> None:
        """Look at these, once both sides are known: half a view would take what is missing for gone."""
        for key in keys:
            if self._synced.is_set():
                self._worklist.add(key)

    async def _look(self, key: Key) -> None:
        try:
            match key:
                case PoolKey():
                    await self._slices.publish(key)
                case FactKey():
                    await self._tell(key)
                case PodKey():
                    await self._binding.bind(key)
        except (ApiConflict, ApiNotFound) as error:
            _log.info("outrun, looking again", key=str(key), reason=str(error))
            raise Again(_CONFLICT_SECONDS) from error
        except ApiUnavailable as error:
            _log.warning("Kubernetes does not answer, later again", key=str(key), reason=str(error))
            raise Again(error.after_seconds) from error
        except BusUnavailable as error:
            raise Again from error
        except ApiRejected as error:
            _log.error("Kubernetes refuses it", key=str(key), reason=str(error))
            raise Again(_REJECTED_SECONDS) from error
        except Exception:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
            _log.crashed("a look failed", key=str(key))
            raise Again(_REJECTED_SECONDS) from None

    async def _tell(self, key: FactKey) -> None:
        """Tell what Kubernetes has under this key, if it is not what was told."""
        fact, told = fact_of(key, self._cluster), self._cluster.told.get(key)
        if fact == told or (fact is None and not is_from_kubernetes(told)):
            return
        with telemetry.span(f"tell {key.kind}", kind=telemetry.Kind.PRODUCER, key=key.name):
            done = await self._bus.commit([Write(_CHANNELS[key.kind], (key.name,), fact)])
        assert isinstance(done, Committed), "nothing was expected, so nothing can be stale"
        self._cluster.keep_told(key, fact, done.sequence)
