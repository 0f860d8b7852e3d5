"""Who holds what: the claims that have devices in certain pools, and all that these claims have anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import msgspec

from slicewire.allocator.core.holdings import Holding
from slicewire.allocator.core.records import TellingKey
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import ClaimUID, DeviceID, PoolID


class Holder(msgspec.Struct, frozen=True):
    """A claim, what it holds, and under which keys that was told."""

    claim: ClaimUID
    label: str
    keys: frozenset[TellingKey]
    devices: frozenset[DeviceID]


_Told = list[tuple[TellingKey, Holding]]


def holders(snapshot: Snapshot, pools: Set[PoolID]) -> Mapping[PoolID, Sequence[Holder]]:
    """For each of the pools. Others of a claim's devices may be told under any node."""
    wanted = {(id_.driver, id_.pool) for id_ in pools}
    told: dict[ClaimUID, _Told] = {}
    for node in snapshot.nodes:
        for driver in sorted({id_.driver for id_ in pools}):
            key = TellingKey(node, driver)
            for holding in snapshot.holdings(*key):
                told.setdefault(holding.claim, []).append((key, holding))
    by_pool: dict[PoolID, list[Holder]] = {}
    for of_claim in told.values():
        if any((each.driver, each.pool) in wanted for _, holding in of_claim for each in holding.results):
            holder = _holder(of_claim)
            for id_ in {PoolID(device.driver, device.pool) for device in holder.devices} & pools:
                by_pool.setdefault(id_, []).append(holder)
    return by_pool


def _holder(told: _Told) -> Holder:
    """Admin access only looks at a device: it holds nothing that could be released."""
    first = told[0][1]
    devices = (each.device_id for _, holding in told for each in holding.results if not each.admin_access)
    return Holder(first.claim, first.label, frozenset(key for key, _ in told), frozenset(devices))
