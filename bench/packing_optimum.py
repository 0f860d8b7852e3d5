"""The best there is: no way to choose places, of all that serve whoever can be served, places more.

Brute force over every choice. With foresight for a trace that is known from the start; without it for
claims that come and go by chance for ever, as a policy that gains most on the average (dynamic programming).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Protocol

from bench.packing_node import PROFILES, Node, Placed, fits
from slicewire.common.model.packing import Packing

Gpu = tuple[tuple[int, Placed], ...]
"""What is on one GPU, by claim."""
Set = tuple[Placed, ...]


class Event(Protocol):
    @property
    def claim(self) -> int: ...
    @property
    def profile(self) -> str | None: ...


def with_foresight(events: Iterable[Event], gpus: int) -> int:
    """The most claims that can be placed. GPUs are alike, so only one of equal ways is followed."""
    worlds: dict[tuple[Gpu, ...], int] = {((),) * gpus: 0}
    for event in events:
        after: dict[tuple[Gpu, ...], int] = {}
        for world, placed in worlds.items():
            for next_world, gained in _ways_on(world, event):
                after[next_world] = max(after.get(next_world, 0), placed + gained)
        worlds = after
    return max(worlds.values())


def _ways_on(world: tuple[Gpu, ...], event: Event) -> list[tuple[tuple[Gpu, ...], int]]:
    if event.profile is None:
        left = (tuple(each for each in gpu if each[0] != event.claim) for gpu in world)
        return [(tuple(sorted(left)), 0)]
    ways = []
    for gpu in set(world):
        for place in _open([place for _, place in gpu], event.profile):
            others = list(world)
            others.remove(gpu)
            ways.append((tuple(sorted([*others, tuple(sorted((*gpu, (event.claim, place))))])), 1))
    return ways or [(world, 0)]


def _open(there: list[Placed], profile: str) -> list[Placed]:
    return [place for start in PROFILES[profile].starts if fits(there, place := Placed(0, profile, start))]


def without_foresight(weights: Mapping[str, int], load: float, hold: float) -> tuple[float, float, float]:
    """Of the claims on one GPU, the share that first fit, packing and the best policy place for ever."""
    profiles = tuple(weights)
    sets = _reachable(profiles)
    choices = [{profile: _open(list(there), profile) for profile in weights} for there in sets]
    chain = _Chain(sets, choices, weights, load, hold)
    by_first_fit, by_packing = (_chosen(profiles, each) for each in (Packing.FIRST_FIT, Packing.PACK))
    first = chain.share(lambda at, profile: [by_first_fit[at, profile]])
    pack = chain.share(lambda at, profile: [by_packing[at, profile]])
    return first, pack, chain.share(lambda at, profile: choices[at][profile])


@cache
def _reachable(profiles: tuple[str, ...]) -> Sequence[Set]:
    found: dict[Set, None] = {(): None}
    todo: list[Set] = [()]
    while todo:
        there = todo.pop()
        for profile in profiles:
            for place in _open(list(there), profile):
                after = tuple(sorted((*there, place)))
                if after not in found:
                    found[after] = None
                    todo.append(after)
    return list(found)


@cache
def _chosen(profiles: tuple[str, ...], policy: Packing) -> Mapping[tuple[int, str], Placed]:
    """What the allocator picks in every state."""
    found = {}
    for at, there in enumerate(_reachable(profiles)):
        node = Node(1, policy)
        for number, place in enumerate(there):
            node.put(number, place)
        for profile in profiles:
            if node.place(-1, profile):
                found[at, profile] = node.placed[-1]
                node.release(-1)
    return found


class _Chain:
    """One GPU as a Markov decision process in steps of equal mean length; a claim served is a gain of one."""

    CLOSE = 1e-5

    def __init__(
        self,
        sets: Sequence[Set],
        choices: Sequence[Mapping[str, Sequence[Placed]]],
        weights: Mapping[str, int],
        load: float,
        hold: float,
    ) -> None:
        self._index = {there: at for at, there in enumerate(sets)}
        self._sets, self._choices = sets, choices
        mean = sum(PROFILES[name].slices * share for name, share in weights.items()) / sum(weights.values())
        rate = load * PROFILES["7g.80gb"].slices / (mean * hold)
        self._rates = {name: rate * share / sum(weights.values()) for name, share in weights.items()}
        self._leaving = 1 / hold
        most = max(map(len, sets))
        self._all = rate + most * self._leaving
        self._arriving = rate

    def share(self, may: Callable[[int, str], Sequence[Placed]]) -> float:
        """Of those that come, in the long run; `may` says among which places is chosen."""
        moves = [self._moves(at, may) for at in range(len(self._sets))]
        worth = [0.0] * len(moves)
        while True:
            after = [self._step(at, moves[at], worth) for at in range(len(moves))]
            gains = [new - old for new, old in zip(after, worth, strict=True)]
            if max(gains) - min(gains) < self.CLOSE * max(gains):
                return (max(gains) + min(gains)) / 2 * self._all / self._arriving
            worth = [each - after[0] for each in after]

    def _moves(
        self, at: int, may: Callable[[int, str], Sequence[Placed]]
    ) -> tuple[list[tuple[float, list[int]]], list[int]]:
        there = self._sets[at]
        arrivals = [
            (self._rates[name], [self._index[tuple(sorted((*there, place)))] for place in may(at, name)])
            for name, open_ in self._choices[at].items()
            if open_
        ]
        return arrivals, [self._index[(*there[:n], *there[n + 1 :])] for n in range(len(there))]

    def _step(
        self, at: int, moves: tuple[list[tuple[float, list[int]]], list[int]], worth: Sequence[float]
    ) -> float:
        arrivals, leavings = moves
        total = stays = 0.0
        for rate, ways in arrivals:
            total += rate * (1 + max(worth[way] for way in ways))
            stays += rate
        total += self._leaving * sum(worth[way] for way in leavings)
        stays += self._leaving * len(leavings)
        return (total + (self._all - stays) * worth[at]) / self._all
