"""What others could do for a claim: a driver completes its pool, a claim is released.

Each proposal names who would have to; whether it is enough is for changes.py to try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

import msgspec

from slicewire.allocator.core.holders import Holder, holders
from slicewire.allocator.core.nearest import nearest_first
from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.remedies import Claims, Nearby, Remedy, Situation
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.stock import Trouble
from slicewire.common.model import ChangeKind, NodeName, PoolID, ResourceSlice

NEAREST_NODES = 32
"""Claims are asked to yield on so many nodes only, those that lack the fewest devices."""

PAIRED_HOLDERS = 8
"""Pairs are made of so many claims of a node only, those that hold the fewest devices."""

_NOBODY = NodeName("")
"""Under which slices of no node may be told."""


def completions(situation: Situation) -> Iterator[Remedy]:
    """Of pools that are still being published. Nobody knows what is to come, so it counts for nothing:
    the claim has to fit on what is there already.
    """
    for question in (kind.first for kind in situation.kinds):
        node = question.stock.node.name
        for pool in question.stock.pools:
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
    for node, here in _holders_nearby(situation):
        for holder in here:
            yield _released(situation, node, (holder,))


def double_releases(situation: Situation) -> Iterator[Remedy]:
    """Of two claims on the same node."""
    for node, here in _holders_nearby(situation):
        for pair in combinations(here[:PAIRED_HOLDERS], 2):
            yield _released(situation, node, pair)


def _released(situation: Situation, node: NodeName, asked: Sequence[Holder]) -> Remedy:
    labels = " and ".join(holder.label for holder in asked)
    return Remedy(
        kind=ChangeKind.RELEASE_CLAIM,
        message=f"release {'claim' if len(asked) == 1 else 'claims'} {labels}",
        node=node,
        weight=sum(len(holder.devices) for holder in asked),
        applied=partial(_without, situation, asked),
    )


def _without(situation: Situation, yielding: Sequence[Holder]) -> tuple[Claims, Snapshot]:
    snapshot = situation.snapshot
    gone = {holder.claim for holder in yielding}
    for key in sorted(key for holder in yielding for key in holder.keys):
        kept = tuple(each for each in snapshot.holdings(*key) if each.claim not in gone)
        snapshot = snapshot.with_holdings(*key, kept)
    return situation.claims, snapshot


def _holders_nearby(situation: Situation) -> Nearby:
    return situation.nearby.recall(situation.snapshot, lambda: _looked_up(situation))


def _looked_up(situation: Situation) -> Nearby:
    """By node, those that hold the fewest devices first; a claim is never asked to yield to itself."""
    snapshot, features = situation.snapshot, situation.features
    own = {claim.uid for claim in situation.claims}
    nearest = [node for node, _ in nearest_first(situation.kinds, situation.nodes)]
    pools = {
        node: [pool.id for pool in snapshot.stock(node, features).pools] for node in nearest[:NEAREST_NODES]
    }
    by_pool = holders(snapshot, {id_ for ids in pools.values() for id_ in ids})
    found: list[tuple[NodeName, Sequence[Holder]]] = []
    for node, ids in pools.items():
        here = {each.claim: each for id_ in ids for each in by_pool.get(id_, ()) if each.claim not in own}
        found.append((node, sorted(here.values(), key=lambda each: (len(each.devices), each.label))))
    return tuple(found)
