"""Ledgers as values: what a claim more or less makes of them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from slicewire.common.messages import LEDGERS, BadKey, ClaimRef, Conflict, LedgerEntry, LedgerWritten
from slicewire.common.model import ClaimUID, DeviceID, DriverName, NodeName, TraceParent

PoolKey = tuple[NodeName, DriverName]
"""What a ledger is about: the pool of one driver on one node."""


class HeardInPart(Exception):
    """A ledger has the claim, and its answer, committed together with it, has not been heard yet."""


def can_be_told(key: PoolKey) -> bool:
    """Other drivers have pools with `/` in their names: of those no ledger is kept."""
    try:
        LEDGERS.subject(*key)
    except BadKey:
        return False
    return True


def empty(key: PoolKey) -> LedgerWritten:
    return LedgerWritten(node=key[0], driver=key[1])


def with_entry(ledger: LedgerWritten, entry: LedgerEntry) -> LedgerWritten:
    """The ledger with this claim's entry in place of any it had, first come first."""
    others = tuple(e for e in ledger.entries if e.claim.uid != entry.claim.uid)
    return _written(ledger, (*others, entry))


def without_claim(ledger: LedgerWritten, uid: ClaimUID) -> LedgerWritten:
    return _written(ledger, tuple(e for e in ledger.entries if e.claim.uid != uid))


def _written(ledger: LedgerWritten, entries: tuple[LedgerEntry, ...]) -> LedgerWritten:
    return LedgerWritten(
        node=ledger.node, driver=ledger.driver, entries=entries, conflicts=_conflicts(entries)
    )


def _conflicts(entries: tuple[LedgerEntry, ...]) -> tuple[Conflict, ...]:
    """Exclusive devices (no admin access, no share) that more than one claim holds."""
    claims: dict[DeviceID, list[ClaimRef]] = defaultdict(list)
    for entry in entries:
        for result in entry.results:
            if not result.admin_access and not result.share_id:
                claims[result.device_id].append(entry.claim)
    return tuple(
        Conflict(device=device, claims=tuple(held))
        for device, held in sorted(claims.items())
        if len({ref.uid for ref in held}) > 1
    )


def traced(ledger: LedgerWritten, traces: Mapping[ClaimUID, TraceParent]) -> LedgerWritten:
    """New entries carry the trace of the commit that writes them."""
    entries = tuple(
        entry
        if entry.trace or entry.claim.uid not in traces
        else msgspec.structs.replace(entry, trace=traces[entry.claim.uid])
        for entry in ledger.entries
    )
    return msgspec.structs.replace(ledger, entries=entries)
