"""How the nodes of a fleet stand: those that are alike, with the same devices left, stand alike.

A memory beside the snapshot, like refused.py: a node that has changed is looked at anew when somebody
next asks, so a question costs as much as has changed since the last. Refuses to judge any claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.stock import Stock, Supply, each_bit
from slicewire.common.model import NodeName


class Standing(msgspec.Struct, frozen=True, eq=False):
    """What one node has and what is left of it, for all nodes of which the same is true."""

    stock: Stock
    supply: Supply

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Standing):
            return NotImplemented
        return self.stock.layout is other.stock.layout and self.supply == other.supply

    def __hash__(self) -> int:
        return hash((id(self.stock.layout), self.supply))


Look = Callable[[NodeName], Standing | None]
"""None for a node that has to be asked itself, whatever the question."""


class Standings:
    """Nodes are bits in the order of `nodes`. Successors share what has not changed."""

    __slots__ = ("_alike", "_changed", "_features", "_nodes", "_places", "_standing")

    def __init__(self) -> None:
        self._nodes: Sequence[NodeName] = ()
        self._features: Features | None = None
        self._places: Mapping[NodeName, int] = {}
        self._standing: list[Standing | None] = []
        self._alike: dict[Standing, int] = {}
        self._changed = 0

    def forgetting(self, nodes: Iterable[NodeName]) -> Standings:
        after = Standings()
        after._nodes, after._features, after._places = self._nodes, self._features, self._places
        after._standing, after._alike, after._changed = self._standing, self._alike, self._changed
        for node in nodes:
            if (place := self._places.get(node)) is not None:
                after._changed |= 1 << place
        return after

    def alike(self, nodes: Sequence[NodeName], features: Features, look: Look) -> Mapping[Standing, int]:
        """The nodes that stand alike. `look` is asked of those that are new or have changed."""
        if features != self._features or (self._nodes is not nodes and self._nodes != nodes):
            self._begin(nodes, features)
        if self._changed:
            self._standing, self._alike = list(self._standing), dict(self._alike)
            for bit in each_bit(self._changed):
                self._note(bit, look(nodes[bit.bit_length() - 1]))
            self._changed = 0
        return self._alike

    def _begin(self, nodes: Sequence[NodeName], features: Features) -> None:
        self._nodes, self._features = nodes, features
        self._places = {node: place for place, node in enumerate(nodes)}
        self._standing, self._alike = [None] * len(nodes), {}
        self._changed = (1 << len(nodes)) - 1

    def _note(self, bit: int, found: Standing | None) -> None:
        place = bit.bit_length() - 1
        before = self._standing[place]
        if before is not None:
            self._alike[before] &= ~bit
            if not self._alike[before]:
                del self._alike[before]
        if found is not None:
            self._alike[found] = self._alike.get(found, 0) | bit
        self._standing[place] = found
