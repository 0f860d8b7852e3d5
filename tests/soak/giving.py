"""Is a ledger sound? What Slicewire newly gives in it must have been there to give. Pure.

A claim that another scheduler has allocated is followed whatever it holds, so only new entries of
Slicewire's own are judged, beside all that were there before and all of its own; what others have done
twice must be told as a conflict. Definitions of
devices and counters are the last that were told: a device that was lost keeps what it was.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import msgspec

from slicewire.common.messages import SLICEWIRE, LedgerEntry, LedgerWritten, PoolObserved
from slicewire.common.model import Device, DeviceName, DeviceRequestAllocationResult

Amount = int | Fraction
Holder = tuple[str, DeviceRequestAllocationResult]
"""Who holds what: a claim's label and one result."""
Known = tuple[object, ...]
"""A result of a claim, as far as it says what is held."""


class Defined:
    """All that was ever told of one pool."""

    def __init__(self) -> None:
        self.devices: dict[DeviceName, Device] = {}
        self.counters: dict[tuple[str, str], Amount] = {}

    def hear(self, pool: PoolObserved) -> None:
        self.devices |= {device.name: device for device in pool.devices}
        self.counters |= {
            (each.name, name): counter.value.value
            for each in pool.shared_counters
            for name, counter in each.counters.items()
        }


def faults(before: LedgerWritten | None, after: LedgerWritten, defined: Defined) -> Iterator[str]:
    """What is wrong with a ledger that follows another."""
    known = _known(before)
    given = {result.device for entry in after.entries for result in _given(entry, known)}
    holders = _holders(_knowable(entry, known) for entry in after.entries)
    for device in sorted(given):
        if device not in defined.devices:
            yield f"{device} was given, but no inventory ever had it"
            continue
        yield from _given_twice(device, holders[device])
        yield from _overfull(defined.devices[device], holders[device])
    yield from _overdrawn(given, holders, defined)
    yield from _untold_conflicts(after, _holders(after.entries))


def _known(ledger: LedgerWritten | None) -> set[Known]:
    return {
        (entry.claim.uid, *_identity(result))
        for entry in (ledger.entries if ledger else ())
        for result in entry.results
    }


def _given(entry: LedgerEntry, known: set[Known]) -> Iterator[DeviceRequestAllocationResult]:
    """What Slicewire gives the claim that it did not have before."""
    for result in entry.results if entry.origin == SLICEWIRE else ():
        if not result.admin_access and (entry.claim.uid, *_identity(result)) not in known:
            yield result


def _knowable(entry: LedgerEntry, known: set[Known]) -> LedgerEntry:
    """The entry without what is adopted only now, which nobody could have known of when giving."""
    if entry.origin == SLICEWIRE:
        return entry
    kept = tuple(result for result in entry.results if (entry.claim.uid, *_identity(result)) in known)
    return msgspec.structs.replace(entry, results=kept)


def _identity(result: DeviceRequestAllocationResult) -> Known:
    consumed = tuple(sorted((name, each.value) for name, each in result.consumed_capacity.items()))
    return (result.request, result.device_id, result.share_id, consumed)


def _holders(entries: Iterable[LedgerEntry]) -> Mapping[DeviceName, list[Holder]]:
    """Who holds each device; to look at it with admin access is not to hold it."""
    holders: dict[DeviceName, list[Holder]] = defaultdict(list)
    for entry in entries:
        for result in entry.results:
            if not result.admin_access:
                holders[result.device].append((entry.claim.label, result))
    return holders


def _given_twice(device: DeviceName, holders: Iterable[Holder]) -> Iterator[str]:
    held = [(label, result.share_id) for label, result in holders]
    if len(held) > 1 and any(share is None for _, share in held):
        yield f"{device} is given twice: to {' and to '.join(label for label, _ in held)}"
    shares = Counter(share for _, share in held if share is not None)
    for share, times in shares.items():
        if times > 1:
            yield f"share {share} of {device} is held {times} times"


def _overfull(device: Device, holders: Iterable[Holder]) -> Iterator[str]:
    used: dict[str, Amount] = defaultdict(int)
    for _, result in holders:
        for name, taken in result.consumed_capacity.items():
            used[name] += taken.value
    for name, amount in used.items():
        whole = device.capacity[name].value.value if name in device.capacity else 0
        if amount > whole:
            yield f"of {name} of {device.name} there is {whole}, and {amount} is given"


def _overdrawn(
    given: set[DeviceName], holders: Mapping[DeviceName, list[Holder]], defined: Defined
) -> Iterator[str]:
    drawn: dict[tuple[str, str], Amount] = defaultdict(int)
    touched: set[tuple[str, str]] = set()
    for name in holders:
        device = defined.devices.get(name)
        for draw in device.consumes_counters if device else ():
            for counter, amount in draw.counters.items():
                drawn[draw.counter_set, counter] += amount.value.value
                touched |= {(draw.counter_set, counter)} if name in given else set()
    for place in sorted(touched):
        if drawn[place] > defined.counters.get(place, 0):
            has = defined.counters.get(place, 0)
            yield f"counter {place[1]} of {place[0]} has {has}, and {drawn[place]} is drawn"


def _untold_conflicts(ledger: LedgerWritten, holders: Mapping[DeviceName, list[Holder]]) -> Iterator[str]:
    told = {conflict.device.device: {ref.label for ref in conflict.claims} for conflict in ledger.conflicts}
    for device, held in holders.items():
        whole = {label for label, result in held if result.share_id is None}
        if len(whole) > 1 and not whole <= told.get(device, set()):
            yield f"{device} is held by {' and '.join(sorted(whole))}, and the ledger tells no conflict"
