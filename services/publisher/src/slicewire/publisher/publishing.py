"""Slices out: what discovery told of a pool, as Kubernetes should have it, and as this server can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import MANAGED_TAINT, SLICEWIRE
from slicewire.common.model import DeviceName, DeviceTaint, Node, NodeName, ResourceSlice, wire
from slicewire.common.model.slicing import MOST_DEVICES
from slicewire.publisher import metrics
from slicewire.publisher.apifaults import ApiNotFound, ApiRejected
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core import features
from slicewire.publisher.core.difference import Change, Create, Delete, Update, difference
from slicewire.publisher.core.features import Feature, Features
from slicewire.publisher.core.occurrences import Occurrence, about_node
from slicewire.publisher.core.silence import is_offered, silent
from slicewire.publisher.core.slices import Owner, PoolWanted, desired_slices, left_out
from slicewire.publisher.core.versions import written
from slicewire.publisher.events import Events
from slicewire.publisher.facts import allocation_mode
from slicewire.publisher.keys import PoolKey
from slicewire.publisher.kube import Kube
from slicewire.publisher.moments import utc_now
from slicewire.publisher.worklist import Again

_MANAGED = (DeviceTaint(key=MANAGED_TAINT, effect="NoSchedule"),)
_Slices = tuple[ResourceSlice, ...]
_Versions = Mapping[str, str]
_log = Log("publisher.slices")


class Slices:
    def __init__(self, api: Kube, cluster: Cluster, events: Events, keep_silent: timedelta) -> None:
        self._api = api
        self._cluster = cluster
        self._events = events
        self._keep_silent = keep_silent
        self._off: Features = frozenset()
        """What this server was seen not to keep."""
        self._left_out: dict[PoolKey, tuple[DeviceName, ...]] = {}
        """What was said to have no place, so that it is said once."""
        self._silent_since: dict[PoolKey, datetime] = {}
        self._kept_otherwise: dict[PoolKey, tuple[_Slices, _Versions]] = {}
        """What was wanted and what the server made of it, where that differs: no use in asking again."""

    def forget_server(self) -> None:
        """It may be another one by now, or have other gates: try everything again."""
        self._off = frozenset()
        self._kept_otherwise.clear()

    async def publish(self, key: PoolKey) -> None:
        """Make the stored slices of the pool what they should be. Raises the faults of `kube`."""
        stored = self._cluster.slices(key)
        if self._cluster.is_silent(key) or (self._cluster.is_unheard(key) and not is_offered(stored)):
            await self._publish_silent(key, stored)
            return
        self._speaks_again(key)
        wanted = self._wanted(key)
        if wanted is not None:
            await self._make(key, wanted, stored)

    async def _publish_silent(self, key: PoolKey, stored: _Slices) -> None:
        node, now = self._cluster.nodes.get(key.node), utc_now()
        since = self._silent_since.get(key, now)
        found = silent(stored, since, now, self._keep_silent)
        if node is None or found is None:
            return  # the slices of a node that is gone are Kubernetes' to remove
        self._falls_silent(key, since)
        if found.left <= timedelta():
            await self._carry_out(key, difference((), stored), stored)
            _log.warning("slices removed: nobody has told of the pool", node=key.node, driver=key.driver)
            return
        wanted = PoolWanted(
            owner=_owner(node),
            driver=key.driver,
            pool=stored[0].spec.pool.name,
            devices=found.devices,
            shared_counters=found.shared_counters,
            taints=(*_taints(node), found.taint),
            counters_apart=self._api.dialect.counters_apart,
        )
        await self._make(key, wanted, stored)
        raise Again(found.left.total_seconds())

    def _falls_silent(self, key: PoolKey, since: datetime) -> None:
        if key in self._silent_since:
            return
        self._silent_since[key] = since
        why = "has taken back what it told" if key in self._cluster.forgotten else "does not answer"
        _log.warning("agent is silent", node=key.node, driver=key.driver, reason=why)
        until = f"for {int(self._keep_silent.total_seconds())} s, then they are removed"
        note = f"The agent of {key.driver} {why}: its devices keep new pods off {until}"
        self._warn(key, "AgentSilent", note)

    def _speaks_again(self, key: PoolKey) -> None:
        if self._silent_since.pop(key, None) is None:
            return
        _log.info("agent speaks again", node=key.node, driver=key.driver)
        if node := self._cluster.nodes.get(key.node):
            note = f"The agent of {key.driver} speaks again: its devices are offered as it tells of them"
            self._events.tell([Occurrence(about_node(node), "AgentSpeaks", note, action="Publish")])

    async def _make(self, key: PoolKey, wanted: PoolWanted, stored: _Slices) -> None:
        """Once more, with less, where the server turned out not to keep something."""
        while True:
            allowed = features.without(wanted, self._off)
            desired = desired_slices(allowed)
            self._tell_left_out(key, left_out(allowed, desired))
            changes = difference(desired, stored)
            if not changes or self._kept_otherwise.get(key) == (desired, _versions(stored)):
                return
            try:
                stored = await self._carry_out(key, changes, stored)
            except ApiRejected as error:
                if not self._lacks(key, features.used(desired) & {Feature.LISTS}, str(error)):
                    raise
                stored = self._cluster.slices(key)
                continue
            if not self._lacks(key, features.lacking(desired, stored), "its fields are dropped"):
                self._check(key, desired, stored)
                return

    def _tell_left_out(self, key: PoolKey, names: tuple[DeviceName, ...]) -> None:
        if names == self._left_out.get(key, ()):
            return
        self._left_out[key] = names
        if names:
            _log.error(
                "devices are left out", node=key.node, driver=key.driver, devices=len(names), first=names[0]
            )
            note = (
                f"{len(names)} devices of {key.driver}, {names[0]} the first, are not published: they share"
                f" counters with others, and before Kubernetes 1.35 there is room for {MOST_DEVICES} such"
            )
            self._warn(key, "DevicesLeftOut", note)

    def _lacks(self, key: PoolKey, found: Features, reason: str) -> bool:
        """Whether something was found that is not kept, and was not known to be."""
        new = found - self._off
        if not new:
            return False
        self._off |= new
        gates = ", ".join(sorted(new))
        _log.error(
            "Kubernetes does not keep a feature", gates=gates, node=key.node, driver=key.driver, reason=reason
        )
        note = f"Devices of {key.driver} are published without {gates}, which this cluster has off: {reason}"
        self._warn(key, "FeatureOff", note)
        return True

    async def _carry_out(self, key: PoolKey, changes: Iterable[Change], stored: _Slices) -> _Slices:
        """The slices that the server then has, by its own answers."""
        left = {found.metadata.name: found for found in stored}
        with telemetry.span("publish slices", node=key.node, driver=key.driver):
            for change in changes:
                await self._apply(change, left)
        _log.info("slices published", node=key.node, driver=key.driver)
        return tuple(left.values())

    def _check(self, key: PoolKey, desired: _Slices, left: _Slices) -> None:
        """By the server's answers alone: what others write meanwhile is for the next look."""
        self._kept_otherwise.pop(key, None)
        if difference(desired, left):
            self._kept_otherwise[key] = (desired, _versions(left))
            _log.error("Kubernetes keeps other slices than it was given", node=key.node, driver=key.driver)
            note = f"The slices of {key.driver} are kept otherwise than they were published"
            self._warn(key, "SlicesDiffer", note)

    def _warn(self, key: PoolKey, reason: str, note: str) -> None:
        """In an Event of the pool's node."""
        if node := self._cluster.nodes.get(key.node):
            self._events.tell([Occurrence(about_node(node), reason, note, "Warning", "Publish")])

    def _wanted(self, key: PoolKey) -> PoolWanted | None:
        """None where there is nothing to say: the node is not Kubernetes' (its slices go with it), or
        no agent has spoken of the pool, and the slices may be another driver's."""
        node, pool = self._cluster.nodes.get(key.node), self._cluster.pools.get(key)
        if node is None or pool is None:
            return None
        return PoolWanted(
            owner=_owner(node),
            driver=pool.driver,
            pool=pool.pool,
            devices=pool.devices,
            shared_counters=pool.shared_counters,
            taints=_taints(node),
            counters_apart=self._api.dialect.counters_apart,
        )

    async def _apply(self, change: Change, left: dict[str, ResourceSlice]) -> None:
        """Write it, and note in `left` what the server then has."""
        dialect = self._api.dialect
        match change:
            case Create(found):
                document = written(wire.document(found), dialect)
                self._keep(await self._api.create(dialect.path("resourceslices"), document), left)
            case Update(found):
                document = written(wire.document(found), dialect)
                path = dialect.path("resourceslices", found.metadata.name)
                self._keep(await self._api.replace(path, document), left)
            case Delete(name, uid, resource_version):
                try:
                    await self._api.delete(dialect.path("resourceslices", name), uid, resource_version)
                except ApiNotFound:
                    _log.info("slice is gone already", slice=name)
                self._cluster.drop_slice(name)
                left.pop(name, None)
        metrics.SLICE_WRITES.add(type(change).__name__.lower())

    def _keep(self, answer: bytes, left: dict[str, ResourceSlice]) -> None:
        """What the server made of it, so that the next look does not depend on the watch being quick."""
        found = self._api.decoded(answer, ResourceSlice)
        self._cluster.keep_slice(found)
        left[found.metadata.name] = found


def _versions(slices: Iterable[ResourceSlice]) -> _Versions:
    return {found.metadata.name: found.metadata.resource_version for found in slices}


def _owner(node: Node) -> Owner:
    return Owner(name=NodeName(node.metadata.name), uid=node.metadata.uid)


def _taints(node: Node) -> tuple[DeviceTaint, ...]:
    return _MANAGED if allocation_mode(node) == SLICEWIRE else ()
