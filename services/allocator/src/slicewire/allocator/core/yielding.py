"""What others could do for a claim: a driver completes its pool, a claim is released.

Each proposal names who would have to; whether it is enough is for changes.py to try.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import combinations

import msgspec

from slicewire.allocator.core.holdings import Holding
from slicewire.allocator.core.nearest import nearest_first
from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.records import TellingKey
from slicewire.allocator.core.remedies import Claims, Remedy, Situation
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.stock import Trouble
from slicewire.common.model import ChangeKind, ClaimUID, DeviceID, NodeName, PoolID, ResourceSlice

NEAREST_NODES = 32
"""Claims are asked to yield on so many nodes only, those that lack the fewest devices."""

PAIRED_HOLDERS = 8
"""Pairs are made of so many claims of a node only, those that hold the fewest devices."""

_NOBODY = NodeName("")
"""Under which slices of no node may be told."""


class _Holder(msgspec.Struct, frozen=True):
    """A claim, what it holds, and under which keys that was told."""

    claim: ClaimUID
    label: str
    keys: frozenset[TellingKey]
    devices: frozenset[DeviceID]


def completions(situation: Situation) -> Iterator[Remedy]:
    """Of pools that are still being published. Nobody knows what is to come, so it counts for nothing:
    the claim has to fit on what is there already.
    """
    for node in situation.nodes:
        for pool in situation.snapshot.stock(node, situation.features).pools:
            if pool.trouble is Trouble.INCOMPLETE:
                yield Remedy(
                    kind=ChangeKind.WAIT_FOR_POOL,
                    message=f"wait until pool {pool.id} is complete",
                    node=node,
                    weight=0,
                    applied=partial(_completed, situation, pool.id),
                )


def _completed(situation: Situation, id_: PoolID) -> tuple[Claims, Snapshot]:
    """As if the slices that are there were all that its driver wanted to publish."""
    snapshot = situation.snapshot
    told = {node: snapshot.slices(node, id_.driver) for node in (*snapshot.nodes, _NOBODY)}
    pools = [each.spec.pool for slices in told.values() for each in slices if pool_id(each) == id_]
    newest = max(pool.generation for pool in pools)
    complete = sum(pool.generation == newest for pool in pools)
    for node, slices in told.items():
        after = tuple(_counted(each, complete) if pool_id(each) == id_ else each for each in slices)
        if after != slices:
            snapshot = snapshot.with_slices(node, id_.driver, after)
    return situation.claims, snapshot


def _counted(published: ResourceSlice, slices: int) -> ResourceSlice:
    pool = msgspec.structs.replace(published.spec.pool, resource_slice_count=slices)
    return msgspec.structs.replace(published, spec=msgspec.structs.replace(published.spec, pool=pool))


def releases(situation: Situation) -> Iterator[Remedy]:
    """Of one claim that holds something on one of the nearest nodes."""
    for node, holders in _holders_nearby(situation):
        for holder in holders:
            yield _released(situation, node, (holder,))


def double_releases(situation: Situation) -> Iterator[Remedy]:
    """Of two claims on the same node."""
    for node, holders in _holders_nearby(situation):
        for pair in combinations(holders[:PAIRED_HOLDERS], 2):
            yield _released(situation, node, pair)


def _released(situation: Situation, node: NodeName, holders: Sequence[_Holder]) -> Remedy:
    labels = " and ".join(holder.label for holder in holders)
    return Remedy(
        kind=ChangeKind.RELEASE_CLAIM,
        message=f"release {'claim' if len(holders) == 1 else 'claims'} {labels}",
        node=node,
        weight=sum(len(holder.devices) for holder in holders),
        applied=partial(_without, situation, holders),
    )


def _without(situation: Situation, holders: Sequence[_Holder]) -> tuple[Claims, Snapshot]:
    snapshot = situation.snapshot
    gone = {holder.claim for holder in holders}
    for key in sorted(key for holder in holders for key in holder.keys):
        kept = tuple(each for each in snapshot.holdings(*key) if each.claim not in gone)
        snapshot = snapshot.with_holdings(*key, kept)
    return situation.claims, snapshot


def _holders_nearby(situation: Situation) -> Iterator[tuple[NodeName, Sequence[_Holder]]]:
    """By node, those that hold the fewest devices first; a claim is never asked to yield to itself."""
    demand, snapshot, features = situation.demand, situation.snapshot, situation.features
    own = {claim.uid for claim in situation.claims}
    nearest = [each.node for each in nearest_first(demand, snapshot, situation.nodes, features)]
    pools = {
        node: [pool.id for pool in snapshot.stock(node, features).pools] for node in nearest[:NEAREST_NODES]
    }
    by_pool = _holders(snapshot, {id_ for ids in pools.values() for id_ in ids})
    for node, ids in pools.items():
        holders = {each.claim: each for id_ in ids for each in by_pool.get(id_, ()) if each.claim not in own}
        yield node, sorted(holders.values(), key=lambda each: (len(each.devices), each.label))


def _holders(snapshot: Snapshot, pools: Set[PoolID]) -> Mapping[PoolID, Sequence[_Holder]]:
    found: dict[ClaimUID, _Holder] = {}
    for node in snapshot.nodes:
        for driver in sorted({id_.driver for id_ in pools}):
            key = TellingKey(node, driver)
            for holding in snapshot.holdings(*key):
                found[holding.claim] = _holding_also(found.get(holding.claim), holding, key)
    by_pool: dict[PoolID, list[_Holder]] = {}
    for holder in found.values():
        for id_ in {PoolID(device.driver, device.pool) for device in holder.devices} & pools:
            by_pool.setdefault(id_, []).append(holder)
    return by_pool


def _holding_also(so_far: _Holder | None, holding: Holding, key: TellingKey) -> _Holder:
    """Admin access only looks at a device: it holds nothing that could be released."""
    devices = frozenset(result.device_id for result in holding.results if not result.admin_access)
    if so_far is None:
        return _Holder(holding.claim, holding.label, frozenset([key]), devices)
    return _Holder(holding.claim, holding.label, so_far.keys | {key}, so_far.devices | devices)
