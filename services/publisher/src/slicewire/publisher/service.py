"""The publisher: keeps Kubernetes and the stream telling the same, by comparing, never by memory.

Events only wake it: each names keys to look at, and a look compares what is with what should be. So a
restart, a lost watch and a changed object are the same path, and doing it twice does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any, assert_never

import msgspec

from slicewire.common import telemetry
from slicewire.common.bus.port import ABSENT, Bus, BusUnavailable, CaughtUp, Committed, Stale, TooLarge, Write
from slicewire.common.logs import Log
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    NODES,
    PREPARED,
    TAINT_RULES,
    Channel,
)
from slicewire.common.model import DriverName, NodeName
from slicewire.publisher import metrics, traces, watched
from slicewire.publisher.announcing import occurrences
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, NotLeading
from slicewire.publisher.binding import Binding
from slicewire.publisher.cluster import Cluster, is_from_kubernetes
from slicewire.publisher.dialects import AGAIN_SECONDS, find_dialect
from slicewire.publisher.election import Alone, Leadership
from slicewire.publisher.events import Events
from slicewire.publisher.facts import fact_of
from slicewire.publisher.ganging import Gangs
from slicewire.publisher.keys import ClassKey, FactKey, Key, PodKey, PoolKey, ReportKey, TurnKey
from slicewire.publisher.kube import Kube
from slicewire.publisher.publishing import Slices
from slicewire.publisher.reporting import Reporting
from slicewire.publisher.rollcall import RollCall
from slicewire.publisher.served import follow_served
from slicewire.publisher.worklist import Again, Worklist

_FOLLOWED: tuple[Channel[Any], ...] = (
    INVENTORY,
    ANSWERS,
    NODES,
    CLASSES,
    TAINT_RULES,
    CLAIMS,
    PREPARED,
)
_WATCHED: tuple[watched.Kind[Any], ...] = (watched.NODES, watched.PODS)
_SERVED: tuple[tuple[watched.Kind[Any], ...], ...] = (
    watched.CLASSES,
    watched.CLAIMS,
    watched.SLICES,
    watched.TAINT_RULES,
)
"""In the newest version that the server has."""
_CHANNELS: dict[str, Channel[Any]] = {
    channel.kind: channel for channel in (NODES, CLASSES, TAINT_RULES, CLAIMS)
}
_CONFLICT_SECONDS = 0.05
_REJECTED_SECONDS = 30.0
_log = Log("publisher")


class Policy(msgspec.Struct, frozen=True):
    """What an operator may have otherwise."""

    instance: str = "publisher"
    keep_silent: timedelta = timedelta(seconds=300)
    makes_classes: bool = True
    gang_seconds: float = 30.0
    roll_call_seconds: float = 30.0


DEFAULT_POLICY = Policy()


class Publisher:
    def __init__(
        self,
        bus: Bus,
        api: Kube,
        workers: int,
        leadership: Leadership | None = None,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self._bus = bus
        self._leadership = leadership or Alone()
        self._api = api.fenced(self._leadership.seconds_left)
        self._workers = workers
        self._cluster = Cluster()
        self._begun = traces.Begun()
        self._events = Events(self._api, policy.instance)
        self._slices = Slices(self._api, self._cluster, self._events, policy.keep_silent)
        self._binding = Binding(self._api, self._cluster)
        self._reporting = Reporting(self._api, self._cluster)
        self._roll_call = RollCall(bus, self._cluster, policy.roll_call_seconds)
        self._gangs = Gangs(self._cluster, policy.gang_seconds)
        self._makes_classes = policy.makes_classes
        self._worklist: Worklist[Key] = Worklist()
        self._unsynced = {kind.name for kind in (*_WATCHED, *(kinds[0] for kinds in _SERVED))} | {"bus"}
        self._synced = asyncio.Event()
        self._is_leading = False

    def is_ready(self) -> bool:
        """Both sides have been seen whole."""
        return self._synced.is_set()

    @property
    def role(self) -> str:
        return "leader" if self._leadership.seconds_left() > 0 else "standby"

    async def run(self) -> None:
        """For ever."""
        self._api.dialect = await find_dialect(self._api)
        shown = metrics.shown(self._cluster, lambda: self.role == "leader", self._worklist)
        async with shown, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._leadership.run())
            tasks.create_task(self._follow_bus())
            tasks.create_task(self._keep_dialect())
            tasks.create_task(self._events.run())
            for kind in _WATCHED:
                tasks.create_task(self._follow_kind(kind, self._api.follow(kind)))
            for kinds in _SERVED:
                tasks.create_task(self._follow_kind(kinds[0], follow_served(self._api, kinds)))
            await self._synced.wait()
            _log.info("both sides are known", nodes=len(self._cluster.nodes), pools=len(self._cluster.pools))
            while True:
                await self._leadership.gained()
                await self._lead()

    async def _lead(self) -> None:
        """Work until another leads. What happened before is found by looking at everything."""
        async with asyncio.TaskGroup() as tasks:
            self._worklist.clear()
            self._slices.forget_server()
            self._roll_call.begin()
            self._is_leading = True
            self._wake(self._cluster.every_key())
            working = (
                tasks.create_task(self._worklist.work(self._look, self._workers)),
                tasks.create_task(self._roll_call.run(self._wake)),
            )
            await self._leadership.lost()
            self._is_leading = False
            for task in working:
                task.cancel()

    async def _keep_dialect(self) -> None:
        """A cluster may be upgraded while we run."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            await self.learn_dialect()

    async def learn_dialect(self) -> None:
        """See how the server is spoken to now, and look at everything if that has changed."""
        found = await find_dialect(self._api)
        if found != self._api.dialect:
            _log.info("the server is spoken to otherwise", version=found.version, minor=found.minor)
            self._api.dialect = found
            self._slices.forget_server()
            self._wake(self._cluster.every_key())

    async def _follow_bus(self) -> None:
        async for heard in self._bus.follow(*_FOLLOWED):
            if isinstance(heard, CaughtUp):
                self._have("bus")
            else:
                keys = tuple(self._cluster.hear(heard))
                self._begun.hear(heard)
                if heard.channel.kind == INVENTORY.kind and heard.fact and "bus" not in self._unsynced:
                    spoke = PoolKey(NodeName(heard.key[0]), DriverName(heard.key[1]))
                    keys += self._cluster.hear_from(spoke)
                if self._is_leading:
                    self._events.tell(occurrences(heard, self._cluster, self._api.dialect.version))
                self._wake(keys)

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
        """Look at these, once both sides are known (half a view would take what is missing for gone), and
        while we lead."""
        for key in keys:
            if self._is_leading and (self._makes_classes or not isinstance(key, ClassKey)):
                self._worklist.add(key)

    async def _look(self, key: Key) -> None:
        try:
            with metrics.looking():
                await self._see_to(key)
        except Again:
            raise
        except (ApiConflict, ApiNotFound) as error:
            _log.info("outrun, looking again", key=str(key), reason=str(error))
            raise Again(_CONFLICT_SECONDS) from error
        except ApiUnavailable as error:
            _log.warning("Kubernetes does not answer, later again", key=str(key), reason=str(error))
            raise Again(error.after_seconds) from error
        except (BusUnavailable, NotLeading) as error:
            raise Again from error
        except ApiRejected as error:
            _log.error("Kubernetes refuses it", key=str(key), reason=str(error))
            raise Again(_REJECTED_SECONDS) from error
        except TooLarge as error:
            _log.error("no message holds it", key=str(key), reason=str(error))
            raise Again(_REJECTED_SECONDS) from error
        except Exception:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
            _log.crashed("a look failed", key=str(key))
            raise Again(_REJECTED_SECONDS) from None

    async def _see_to(self, key: Key) -> None:
        match key:
            case PoolKey():
                await self._slices.publish(key)
            case FactKey():
                await self._tell(key)
            case PodKey():
                await self._binding.bind(key)
            case ClassKey(name):
                await self._reporting.create_class(name)
            case ReportKey(uid):
                await self._reporting.report(uid)
            case TurnKey():
                self._wake(self._gangs.take_turns())
                self._gangs.again()
            case never:
                assert_never(never)

    async def _tell(self, key: FactKey) -> None:
        """Tell what Kubernetes has under this key, if it is not what was told."""
        fact, told = fact_of(key, self._cluster), self._cluster.told.get(key)
        if fact == told or (fact is None and not is_from_kubernetes(told)):
            return
        if not self._leadership.seconds_left():
            raise NotLeading(f"tell {key.kind} {key.name}: the lease is not ours")
        expected = self._cluster.told_sequences.get(key, ABSENT)
        with telemetry.span(
            f"tell {key.kind}",
            kind=telemetry.Kind.PRODUCER,
            parent=self._begun.of(key, self._cluster),
            key=key.name,
        ) as span:
            done = await self._bus.commit([Write(_CHANNELS[key.kind], (key.name,), fact, expected=expected)])
        match done:
            case Committed(sequence):
                self._cluster.keep_told(key, fact, sequence)
                self._begun.keep(key, fact, span.traceparent())
            case Stale(reason):
                self._cluster.doubt_told(key)
                raise ApiConflict(reason)
