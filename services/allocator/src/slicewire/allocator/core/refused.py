"""Which nodes have refused which question already, so that a full fleet is not searched for every claim.

A memory beside the snapshot, not a part of what it says: a node that has changed is forgotten, and a
question of another shape is another question. Refuses to remember anything but a plain no: what
failed on the way is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slicewire.allocator.core.features import Features
from slicewire.common.model import NodeName, ResourceClaim, wire

MOST_SHAPES = 64
"""Different questions that are remembered; the oldest goes first."""

Shape = tuple[Features, tuple[bytes, ...]]


def shape_of(claims: Sequence[ResourceClaim], features: Features) -> Shape:
    """What decides whether a node can say yes: everything of the claims but whose they are."""
    return (features, tuple(wire.encode(claim.spec) for claim in claims))


class Refused:
    """For each shape the nodes that said no, as bits in the order of `nodes`."""

    __slots__ = ("_bits", "_known", "_nodes")

    def __init__(
        self,
        nodes: Sequence[NodeName] = (),
        bits: dict[NodeName, int] | None = None,
        known: dict[Shape, int] | None = None,
    ) -> None:
        self._nodes = nodes
        self._bits = bits or {}
        self._known = known or {}

    def left(self, shape: Shape, nodes: Sequence[NodeName]) -> int:
        """Those of the nodes that have not refused this shape, as bits in their order."""
        if self._nodes is not nodes and self._nodes != nodes:
            self._nodes, self._known = nodes, {}
            self._bits = {node: 1 << place for place, node in enumerate(nodes)}
        return ((1 << len(nodes)) - 1) & ~self._known.get(shape, 0)

    def knows(self, shape: Shape) -> bool:
        """Whether the question was asked before."""
        return shape in self._known

    def note(self, shape: Shape, nodes: Iterable[NodeName]) -> None:
        """They have said no."""
        bits = 0
        for node in nodes:
            bits |= self._bits[node]
        self.note_bits(shape, bits)

    def note_bits(self, shape: Shape, bits: int) -> None:
        if shape not in self._known and len(self._known) >= MOST_SHAPES:
            del self._known[next(iter(self._known))]
        self._known[shape] = self._known.get(shape, 0) | bits

    def forgetting(self, nodes: Iterable[NodeName]) -> Refused:
        """The same without what these nodes said."""
        changed = 0
        for node in nodes:
            changed |= self._bits.get(node, 0)
        if not changed:
            return Refused(self._nodes, self._bits, dict(self._known))
        known = {shape: bits & ~changed for shape, bits in self._known.items()}
        return Refused(self._nodes, self._bits, known)
