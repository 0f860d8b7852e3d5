"""Slices out: what discovery told of a pool, as Kubernetes should have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import MANAGED_TAINT, SLICEWIRE
from slicewire.common.model import DeviceTaint, Node, NodeName, ResourceSlice, wire
from slicewire.publisher import watched
from slicewire.publisher.cluster import Cluster, PoolKey
from slicewire.publisher.core.difference import Change, Create, Delete, Update, difference
from slicewire.publisher.core.slices import Owner, PoolWanted, desired_slices
from slicewire.publisher.facts import allocation_mode
from slicewire.publisher.kube import ApiNotFound, Kube

_MANAGED = (DeviceTaint(key=MANAGED_TAINT, effect="NoSchedule"),)
_Versions = Mapping[str, str]
_log = Log("publisher.slices")


class Slices:
    def __init__(self, api: Kube, cluster: Cluster) -> None:
        self._api = api
        self._cluster = cluster
        self._kept_otherwise: dict[PoolKey, tuple[tuple[ResourceSlice, ...], _Versions]] = {}
        """What was wanted and what the server made of it, where that differs: no use in asking again."""

    async def publish(self, key: PoolKey) -> None:
        """Make the stored slices of the pool what they should be. Raises the faults of `kube`."""
        wanted = self._wanted(key)
        if wanted is None:
            return
        desired, stored = desired_slices(wanted), self._cluster.slices(key)
        changes = difference(desired, stored)
        if not changes or self._kept_otherwise.get(key) == (desired, _versions(stored)):
            return
        left = {found.metadata.name: found for found in stored}
        with telemetry.span("publish slices", node=key.node, driver=key.driver, changes=len(changes)):
            for change in changes:
                await self._apply(change, left)
        _log.info("slices published", node=key.node, driver=key.driver, changes=len(changes))
        self._check(key, desired, tuple(left.values()))

    def _check(
        self, key: PoolKey, desired: tuple[ResourceSlice, ...], left: tuple[ResourceSlice, ...]
    ) -> None:
        """By the server's answers alone: what others write meanwhile is for the next look."""
        self._kept_otherwise.pop(key, None)
        if difference(desired, left):
            self._kept_otherwise[key] = (desired, _versions(left))
            _log.error(
                "Kubernetes keeps other slices than it was given: is a DRA feature gate off?", pool=key.node
            )

    def _wanted(self, key: PoolKey) -> PoolWanted | None:
        """None where there is nothing to say: the node is not Kubernetes' (its slices go with it), or
        no agent has spoken of the pool, and the slices may be another driver's."""
        node, pool = self._cluster.nodes.get(key.node), self._cluster.pools.get(key)
        if node is None or pool is None:
            return None
        return PoolWanted(
            owner=Owner(name=NodeName(node.metadata.name), uid=node.metadata.uid),
            driver=pool.driver,
            pool=pool.pool,
            devices=pool.devices,
            shared_counters=pool.shared_counters,
            taints=_taints(node),
        )

    async def _apply(self, change: Change, left: dict[str, ResourceSlice]) -> None:
        """Write it, and note in `left` what the server then has."""
        match change:
            case Create(found):
                self._keep(await self._api.create(watched.SLICES.path, wire.document(found)), left)
            case Update(found):
                path = f"{watched.SLICES.path}/{found.metadata.name}"
                self._keep(await self._api.replace(path, wire.document(found)), left)
            case Delete(name, uid, resource_version):
                try:
                    await self._api.delete(f"{watched.SLICES.path}/{name}", uid, resource_version)
                except ApiNotFound:
                    _log.info("slice is gone already", slice=name)
                self._cluster.drop_slice(name)
                left.pop(name, None)

    def _keep(self, answer: bytes, left: dict[str, ResourceSlice]) -> None:
        """What the server made of it, so that the next look does not depend on the watch being quick."""
        found = wire.decode(answer, ResourceSlice)
        self._cluster.keep_slice(found)
        left[found.metadata.name] = found


def _versions(slices: Iterable[ResourceSlice]) -> _Versions:
    return {found.metadata.name: found.metadata.resource_version for found in slices}


def _taints(node: Node) -> tuple[DeviceTaint, ...]:
    return _MANAGED if allocation_mode(node) == SLICEWIRE else ()
