"""Pods that start together or not at all, and whose turn it is to be allocated. Pure.

A gang says its name and how many pods it has; it is complete once so many wait behind the gate with all
their claims. One gang at a time collects devices: two that each hold half of what both need would wait
for each other for ever. One that does not get all of its devices in time gives them back, and the next
has its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from slicewire.publisher.core.pods import Pod, claim_names, oldest_first

NAME = "slicewire.dev/gang"
SIZE = "slicewire.dev/gang-size"


class GangKey(msgspec.Struct, frozen=True, order=True):
    namespace: str
    name: str


class Gang(msgspec.Struct, frozen=True):
    """`is_complete`: all its pods and all their claims are there. `is_served`: every claim has devices."""

    key: GangKey
    since: str
    is_complete: bool
    is_served: bool


class Turn(msgspec.Struct, frozen=True):
    """Who collects, and since when by our clock; `rested` had a turn in vain, the longest ago first."""

    key: GangKey | None = None
    since: float = 0.0
    rested: tuple[GangKey, ...] = ()


def gang_of(pod: Pod) -> GangKey | None:
    """By label, or else by annotation."""
    name = _said(pod, NAME)
    return GangKey(pod.metadata.namespace, name) if name else None


def size_of(pods: Iterable[Pod]) -> int:
    """The largest that any pod says, so that none starts too early; 0 where none can be read."""
    sizes = (_said(pod, SIZE) for pod in pods)
    return max((int(size) for size in sizes if size.isdecimal()), default=0)


def is_complete(pods: Sequence[Pod]) -> bool:
    """So many are there as they say."""
    return 0 < size_of(pods) <= len(pods)


def next_turn(turn: Turn, gangs: Iterable[Gang], now: float, patience: float) -> Turn:
    """Who collects from now on: the same until it is served, has gone or has lost our patience."""
    waiting = {gang.key: gang for gang in gangs if gang.is_complete and not gang.is_served}
    rested = tuple(key for key in turn.rested if key in waiting)
    if turn.key in waiting:
        if now - turn.since < patience:
            return msgspec.structs.replace(turn, rested=rested)
        rested = (*rested, *((turn.key,) if turn.key is not None else ()))
    fresh = sorted((gang.since, gang.key) for gang in waiting.values() if gang.key not in rested)
    if fresh:
        return Turn(fresh[0][1], now, rested)
    return Turn(rested[0], now, rested[1:]) if rested else Turn()


def admitted(turn: Turn, gangs: Iterable[Gang]) -> frozenset[GangKey]:
    """Gangs whose claims are ours to decide: the one that collects, and those that have got everything."""
    served = {gang.key for gang in gangs if gang.is_complete and gang.is_served}
    return frozenset(served | ({turn.key} if turn.key is not None else set()))


def joined(start: str, users: Callable[[str], Iterable[Pod]]) -> tuple[str, ...]:
    """The names of all claims that go with this one: those of every pod that uses it, and of every pod that
    uses one of those. A claim is on one node, and so then are its pods and their other claims.

    `users` are the pods of one namespace that use a claim of a name."""
    names, pods, unseen = {start}, dict[str, Pod](), [start]
    while unseen:
        for pod in users(unseen.pop()):
            if pods.setdefault(pod.metadata.name, pod) is pod:
                more = set(claim_names(pod) or ()) - names
                names |= more
                unseen += more
    found = (name for pod in oldest_first(pods.values()) for name in claim_names(pod) or ())
    return tuple(dict.fromkeys(found)) or (start,)


def _said(pod: Pod, key: str) -> str:
    meta = pod.metadata
    return meta.labels.get(key) or meta.annotations.get(key) or ""
