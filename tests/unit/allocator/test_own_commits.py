"""A commit of one's own is taken in once, at its first word, and never over something newer."""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.allocator.draft import Draft
from slicewire.allocator.ledger import PoolKey, empty
from slicewire.allocator.view import Hoped, View
from slicewire.common.bus.port import Committed, Heard, Write
from slicewire.common.messages import ANSWERS, CLASSES, INVENTORY, LEDGERS, ClassObserved, PoolObserved
from slicewire.common.model import ClaimUID, NodeName, PoolName
from tests.builders import DRIVER, a_claim, a_class, a_gpu

NODE = NodeName("a")
POOL: PoolKey = (NODE, DRIVER)
CLAIM = a_claim(1)
FIRST = 11
"""The sequence of the first fact of the commit."""


class Deciding:
    """A view of one node of two GPUs, and a commit that gives one of them away, under way."""

    def __init__(self) -> None:
        self.view = View()
        pool = PoolObserved(
            node=NODE, driver=DRIVER, pool=PoolName("a"), generation=1, devices=(a_gpu(0), a_gpu(1))
        )
        self.view.hear(Heard(CLASSES, ("gpu",), ClassObserved(device_class=a_class()), 1, {}))
        self.view.hear(Heard(INVENTORY, POOL, pool, 2, {}))
        draft = Draft(self.view)
        draft.admit([CLAIM])
        self.writes: Sequence[Write] = draft.writes({})
        self.committed = Committed(FIRST + len(self.writes) - 1)
        self.view.hope(Hoped(self.writes, draft.before, draft.after))
        self.after = draft.after

    def hear(self, index: int) -> None:
        write = self.writes[index]
        self.view.hear(Heard(write.channel, write.key, write.fact, FIRST + index, {}))

    def holders(self) -> list[ClaimUID]:
        """Who holds something, by the snapshot; the ledger must say the same."""
        held = [each.claim for each in self.view.snapshot.holdings(*POOL)]
        assert held == [entry.claim.uid for entry in self.view.ledger(POOL).entries]
        return held

    def sequences(self) -> list[int]:
        return [self.view.sequence(write.channel, write.key) for write in self.writes]


def test_a_commit_is_taken_in_when_the_stream_has_answered() -> None:
    it = Deciding()
    it.view.kept(it.committed)
    assert it.holders() == [CLAIM.uid]
    assert it.sequences() == [FIRST, FIRST + 1, FIRST + 2]
    assert it.view.snapshot.refused is it.after.refused


def test_one_fact_that_is_heard_tells_that_all_were_kept() -> None:
    for index in range(3):
        it = Deciding()
        it.hear(index)
        assert it.holders() == [CLAIM.uid]
        assert it.sequences() == [FIRST, FIRST + 1, FIRST + 2]
        before = it.view.snapshot
        it.view.kept(it.committed)
        assert it.view.snapshot is before


def test_without_a_word_nothing_is_taken_in() -> None:
    it = Deciding()
    assert it.holders() == []
    it.view.hear(Heard(ANSWERS, ("another",), None, 10, {}))
    assert it.holders() == []


def test_what_was_heard_meanwhile_is_kept_beside_the_commit() -> None:
    it = Deciding()
    other = PoolObserved(node=NodeName("b"), driver=DRIVER, pool=PoolName("b"), generation=1, devices=())
    it.view.hear(Heard(INVENTORY, ("b", DRIVER), other, 10, {}))
    it.view.kept(it.committed)
    assert it.holders() == [CLAIM.uid]
    assert it.view.snapshot.nodes == ("a", "b")


def test_a_ledger_that_is_newer_than_the_commit_stands() -> None:
    it = Deciding()
    it.view.hear(Heard(LEDGERS, POOL, empty(POOL), FIRST + 7, {}))
    it.view.kept(it.committed)
    assert it.holders() == []
