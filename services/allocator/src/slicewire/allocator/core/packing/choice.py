"""Among devices that would do alike: which first, so that the most, or the most evenly, stays open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from slicewire.allocator.core.holdings import Usage
from slicewire.allocator.core.packing.budgets import Left
from slicewire.allocator.core.packing.groups import Member, dealt, filled
from slicewire.allocator.core.packing.plan import Family, Plan
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import PoolID
from slicewire.common.model.packing import Packing


class Kind(NamedTuple):
    """In order: shares; then small before large, and what nobody else draws on before partitions.

    Packed, the first share of a partition is like the partition: it is cut for that share.
    """

    is_whole: bool
    size: int
    is_partition: bool


_Key = tuple[int, ...]


class Chooser:
    """Sees one node as it is in use, and orders devices for `PACK` or `SPREAD`."""

    def __init__(self, plan: Plan, usages: Mapping[PoolID, Usage], policy: Packing) -> None:
        self._plan = plan
        self._usages = usages
        self._packs = policy is Packing.PACK

    def kind(self, candidate: Candidate) -> Kind:
        traits = self._plan.traits[candidate]
        is_cut = traits.family is not None
        if candidate.shareable and not (self._packs and is_cut and not self._is_shared(candidate)):
            return Kind(False, 0, False)
        return Kind(True, traits.size, is_cut)

    def shares(self, alike: Sequence[Candidate]) -> Sequence[Candidate]:
        """Packed: devices in use before idle ones, and the fullest first. Spread: the emptiest first."""
        if self._packs:
            return sorted(alike, key=lambda each: (not self._is_shared(each), self._room(each)))
        return sorted(alike, key=lambda each: -self._room(each))

    def whole(self, alike: Sequence[Candidate], wanted: int) -> Iterator[Candidate]:
        """By the groups they stand in; the devices in use tell which groups are broken up."""
        able = set(alike)
        members = [
            Member(each, traits.groups, taken=each not in able)
            for each, traits in self._plan.traits.items()
            if each in able or self._is_taken(each)
        ]
        for member in self._grouped(members, wanted):
            yield cast("Candidate", member.thing)

    def partitions(self, alike: Sequence[Candidate], wanted: int) -> Iterator[Candidate]:
        """One after the other as they are wanted, each seeing what those before it took; then the others."""
        state = {family: family.left(self._usages[family.pool.id]) for family in self._plan.families}
        rank = self._rank(state, wanted)
        open_: dict[Family, list[tuple[int, Candidate]]] = {}
        for each in alike:
            traits = self._plan.traits[each]
            assert traits.family is not None
            open_.setdefault(traits.family, []).append((traits.member, each))
        best = {family: self._best(family, open_[family], state[family]) for family in open_}
        for _ in range(min(wanted, len(alike))):
            fitting = [
                (self._key(family, found, state, rank), family) for family, found in best.items() if found
            ]
            if not fitting:
                break
            family = min(fitting, key=lambda each: each[0])[1]
            member, candidate = cast("tuple[int, Candidate]", best[family])
            yield candidate
            open_[family].remove((member, candidate))
            state[family] = family.budget.after(member, state[family])
            best[family] = self._best(family, open_[family], state[family])
        yield from self._rest(open_, state, rank)

    def _key(
        self,
        family: Family,
        found: tuple[int, Candidate],
        state: Mapping[Family, Left],
        rank: Mapping[Family, int],
    ) -> _Key:
        loss = family.budget.losses(state[family])[found[0]] or 0
        if self._packs:
            return loss, rank[family]
        return -family.budget.open(state[family]), rank[family]

    def _best(
        self, family: Family, open_: Iterable[tuple[int, Candidate]], left: Left
    ) -> tuple[int, Candidate] | None:
        """The one that takes least away, the first published among equals."""
        losses = family.budget.losses(left)
        fitting = [(loss, at) for at in open_ if (loss := losses[at[0]]) is not None]
        return min(fitting, key=lambda each: each[0])[1] if fitting else None

    def _rest(
        self,
        open_: Mapping[Family, Sequence[tuple[int, Candidate]]],
        state: Mapping[Family, Left],
        rank: Mapping[Family, int],
    ) -> list[Candidate]:
        """Should constraints refuse the first: those that still fit by what they take, then the others."""
        rest: list[tuple[bool, _Key, int, Candidate]] = []
        for family, members in open_.items():
            losses = family.budget.losses(state[family])
            for member, candidate in members:
                key = self._key(family, (member, candidate), state, rank)
                rest.append((losses[member] is None, key, losses[member] or 0, candidate))
        return [each[3] for each in sorted(rest, key=lambda each: each[:3])]

    def _rank(self, state: Mapping[Family, Left], wanted: int) -> Mapping[Family, int]:
        """The budgets in use first, then the untouched ones, so that groups are broken up last, or first."""
        members = [Member(each, each.groups, left != each.budget.totals) for each, left in state.items()]
        used = [member for member in members if member.taken]
        order = [*used, *self._grouped(members, wanted)]
        return {cast("Family", member.thing): at for at, member in enumerate(order)}

    def _grouped(self, members: Sequence[Member], wanted: int) -> Sequence[Member]:
        return filled(members, wanted) if self._packs else dealt(members)

    def _is_taken(self, candidate: Candidate) -> bool:
        return candidate.device.name in self._usages[candidate.pool_id].dedicated

    def _is_shared(self, candidate: Candidate) -> bool:
        return candidate.device.name in self._usages[candidate.pool_id].shared

    def _room(self, candidate: Candidate) -> int:
        """What is left of its capacity, each kind against the largest of the node."""
        held = self._usages[candidate.pool_id].shared.get(candidate.device.name)
        used = held.consumed if held else {}
        return self._plan.size(candidate.device, used)
