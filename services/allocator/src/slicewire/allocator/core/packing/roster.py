"""The nodes by how full they are, so that a claim does not look at thousands of them to find the fullest.

A memory beside the snapshot, like refused.py: what changes is forgotten and worked out when it is next
asked for, and a claim costs as much as has changed since the last. Nodes are bits in the order of `nodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from slicewire.allocator.core.packing.fullness import Fullness
from slicewire.allocator.core.persistent import PersistentMap
from slicewire.allocator.core.stock import each_bit
from slicewire.common.model import NodeName


class Roster:
    """Begins blank; knows a node once it was asked for it, until the node changes."""

    __slots__ = ("_bits", "_changed", "_known", "_nodes", "_places")

    def __init__(self) -> None:
        self._nodes: Sequence[NodeName] = ()
        self._places: Mapping[NodeName, int] = {}
        self._known: PersistentMap[NodeName, Fullness] = PersistentMap()
        self._bits: dict[Fullness, int] = {}
        self._changed: frozenset[NodeName] = frozenset()

    def forgetting(self, nodes: Iterable[NodeName]) -> Roster:
        """The same without what is known of these nodes; it is they that are looked at next."""
        if not self._nodes:
            return self
        after = Roster()
        after._nodes, after._places, after._known = self._nodes, self._places, self._known
        after._bits = dict(self._bits)
        after._changed = self._changed.union(nodes)
        return after

    def by_fullness(
        self, nodes: Sequence[NodeName], look: Callable[[NodeName], Fullness]
    ) -> Mapping[Fullness, int]:
        """Which of the nodes are how full. `look` is asked of those that are new or have changed."""
        if self._nodes is not nodes and self._nodes != nodes:
            self._begin(nodes)
        for node in self._changed:
            if (place := self._places.get(node)) is not None:
                self._note(node, place, look(node))
            else:
                self._known = self._known.without(node)
        self._changed = frozenset()
        return self._bits

    def _begin(self, nodes: Sequence[NodeName]) -> None:
        """For other nodes than before; of those that stay, what is known stays."""
        self._nodes, self._bits = nodes, {}
        self._places = {node: place for place, node in enumerate(nodes)}
        for node, place in self._places.items():
            known = self._known.get(node)
            if known is not None and node not in self._changed:
                self._bits[known] = self._bits.get(known, 0) | 1 << place
            else:
                self._changed |= {node}

    def _note(self, node: NodeName, place: int, found: Fullness) -> None:
        bit = 1 << place
        known = self._known.get(node)
        if known is not None and known in self._bits:
            self._bits[known] &= ~bit
            if not self._bits[known]:
                del self._bits[known]
        self._known = self._known.with_value(node, found)
        self._bits[found] = self._bits.get(found, 0) | bit


def nodes_in(bits: int, nodes: Sequence[NodeName]) -> Iterator[NodeName]:
    """Those whose bits are set, in their order."""
    return (nodes[bit.bit_length() - 1] for bit in each_bit(bits))
