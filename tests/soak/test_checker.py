"""Each rule of the checker catches the history that breaks it, and lets the one pass that does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from slicewire.allocator import ledger as ledgers
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    KUBE_SCHEDULER,
    LEDGERS,
    SLICEWIRE,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimRef,
    Fact,
    LedgerEntry,
    LedgerWritten,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimName,
    ClaimUID,
    Namespace,
    NodeName,
    Unsatisfiable,
    wire,
)
from tests.component.allocator.world import claim, of_kubernetes
from tests.soak import fleet
from tests.soak.checker import commits, violations
from tests.soak.evidence import Acknowledged, Entry, Event, Released, Releasing, Told, Unanswered

WHOLE, PARTITIONED, SHARED = "node-00", "node-12", "node-22"
REFUSED = Unsatisfiable(message="nothing is free")


@dataclasses.dataclass
class Story:
    """A history in the making: `commit` appends facts that were told all or none."""

    events: list[Event] = dataclasses.field(default_factory=list)
    log: list[Entry] = dataclasses.field(default_factory=list)
    ledgers: dict[str, LedgerWritten] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, pool in fleet.pools().items():
            if key[0] in {WHOLE, PARTITIONED, SHARED, "node-01"}:
                self.commit((INVENTORY, key, pool))

    @property
    def now(self) -> int:
        return len(self.events)

    def commit(self, *facts: tuple[Channel[Any], Sequence[str], Fact | None]) -> None:
        author = f"author-{self.now}"
        for number, (channel, key, fact) in enumerate(facts):
            self.events.append(Event(self.now + 1, channel.kind, tuple(key), fact, author, number))

    def show(self, uid: str, allocation: AllocationResult | None = None, by: str = SLICEWIRE) -> None:
        self.commit((CLAIMS, (uid,), observed(uid, allocation, by)))

    def end(self, uid: str) -> None:
        self.commit((CLAIMS, (uid,), None))

    def admit(self, uid: str, given: AllocationResult, together: tuple[str, ...] = ()) -> None:
        """A claim over the bus: told, entered and answered in one commit."""
        fact = msgspec.structs.replace(
            observed(uid), claim=claim(uid, uid=uid), together=tuple(map(ClaimUID, together))
        )
        self.commit((CLAIMS, (uid,), fact), self.entered(uid, given), answer(uid, given))

    def give(self, uid: str, given: AllocationResult) -> None:
        self.commit(self.entered(uid, given), answer(uid, given))

    def release(self, uid: str) -> None:
        self.log.append(Releasing(ClaimUID(uid), self.now))
        self.commit((CLAIMS, (uid,), None), self.left(uid), (ANSWERS, (uid,), None))
        self.log.append(Released(ClaimUID(uid), self.now))

    def entered(self, uid: str, given: AllocationResult, origin: str = SLICEWIRE) -> tuple[Any, Any, Fact]:
        results = given.devices.results
        entry = LedgerEntry(claim=ref(uid), results=results, origin=origin, confirmed=origin != SLICEWIRE)
        return self._written(results[0].pool, lambda ledger: ledgers.with_entry(ledger, entry))

    def left(self, uid: str, node: str = WHOLE) -> tuple[Any, Any, Fact]:
        return self._written(node, lambda ledger: ledgers.without_claim(ledger, ClaimUID(uid)))

    def _written(self, node: str, change: Callable[[LedgerWritten], LedgerWritten]) -> tuple[Any, Any, Fact]:
        known = self.ledgers.get(node) or LedgerWritten(node=NodeName(node), driver=fleet.GPU)
        self.ledgers[node] = change(known)
        return LEDGERS, (node, fleet.GPU), self.ledgers[node]

    def found(self) -> tuple[str, ...]:
        return violations(self.events, self.log)


def ref(uid: str) -> ClaimRef:
    return ClaimRef(uid=ClaimUID(uid), namespace=Namespace("default"), name=ClaimName(uid))


def observed(uid: str, allocation: AllocationResult | None = None, by: str = SLICEWIRE) -> ClaimObserved:
    return ClaimObserved(claim=of_kubernetes(claim(uid, uid=uid), allocation), decided_by=by)


def answer(uid: str, given: AllocationResult | None) -> tuple[Any, Any, Fact]:
    fact = ClaimAnswered(claim=ref(uid), allocation=given, refusal=None if given else REFUSED)
    return ANSWERS, (uid,), fact


def devices(*names: str, node: str = WHOLE, **details: Any) -> AllocationResult:
    results = [
        {"request": "gpu", "driver": fleet.GPU, "pool": node, "device": name, **details} for name in names
    ]
    return wire.convert({"devices": {"results": results}}, AllocationResult)


def share(memory: str, number: int) -> AllocationResult:
    return devices("gpu-0", node=SHARED, shareID=f"share-{number}", consumedCapacity={"memory": memory})


def a_good_life(story: Story) -> None:
    """Everything that may happen, as it should: nothing of it is a violation."""
    story.admit("a", devices("gpu-0", "gpu-1"))
    story.log.append(Acknowledged(ClaimUID("a"), story.now, devices("gpu-0", "gpu-1").devices.results))
    story.admit("b", devices("gpu-2"))
    story.release("a")
    story.admit("c", devices("gpu-0"))
    for size in ("half-0", "quarter-2", "quarter-3"):
        story.admit(size, devices(f"gpu-0-{size}", node=PARTITIONED))
    story.admit("s0", share("50Gi", 0))
    story.admit("s1", share("30Gi", 1))
    story.admit("look", devices("gpu-0", adminAccess=True))
    story.show("k")
    story.commit(answer("k", None))
    story.give("k", devices("gpu-1"))
    story.show("k", devices("gpu-1"))
    story.show("k")
    story.commit(story.left("k"), answer("k", None))
    story.end("k")
    story.commit((ANSWERS, ("k",), None))
    story.show("f", devices("gpu-2"), KUBE_SCHEDULER)
    story.commit(story.entered("f", devices("gpu-2"), KUBE_SCHEDULER))


def test_a_good_life_has_no_violations() -> None:
    story = Story()
    a_good_life(story)
    assert story.found() == ()


def test_facts_of_one_commit_are_judged_together() -> None:
    story = Story()
    story.admit("a", devices("gpu-0"))
    story.release("a")
    assert [len(commit) for commit in commits(story.events)][-2:] == [3, 3]


def given_twice(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.admit("b", devices("gpu-0"))


def written_over(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.ledgers.clear()
    story.admit("b", devices("gpu-0"))


def given_beside_another_scheduler(story: Story) -> None:
    story.show("f", devices("gpu-0"), KUBE_SCHEDULER)
    story.commit(story.entered("f", devices("gpu-0"), KUBE_SCHEDULER))
    story.admit("a", devices("gpu-0"))


def conflict_kept_quiet(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.show("f", devices("gpu-0"), KUBE_SCHEDULER)
    channel, key, ledger = story.entered("f", devices("gpu-0"), KUBE_SCHEDULER)
    story.commit((channel, key, msgspec.structs.replace(ledger, conflicts=())))


def counter_overdrawn(story: Story) -> None:
    story.admit("a", devices("gpu-0-half-0", node=PARTITIONED))
    story.admit("b", devices("gpu-0-whole-0", node=PARTITIONED))


def capacity_overfull(story: Story) -> None:
    story.admit("a", share("50Gi", 0))
    story.admit("b", share("30.5Gi", 1))


def share_given_twice(story: Story) -> None:
    story.admit("a", share("10Gi", 0))
    story.admit("b", share("10Gi", 0))


def device_that_never_was(story: Story) -> None:
    story.admit("a", devices("gpu-9"))


def answer_without_a_ledger(story: Story) -> None:
    story.show("k")
    story.commit(answer("k", devices("gpu-0")))


def half_a_group(story: Story) -> None:
    story.admit("a", devices("gpu-0"), together=("a", "b"))


def two_answers(story: Story) -> None:
    story.show("k")
    story.give("k", devices("gpu-0"))
    story.give("k", devices("gpu-1"))


def forgotten_by_the_ledger(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.commit(story.left("a"))


def ended_by_nobody(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.commit((CLAIMS, ("a",), None), story.left("a"), (ANSWERS, ("a",), None))


def back_after_the_release(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.release("a")
    story.admit("a", devices("gpu-0"))


def given_after_the_release(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.release("a")
    story.give("a", devices("gpu-0"))


def release_that_was_lost(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.log.append(Released(ClaimUID("a"), story.now))


def acknowledged_and_not_kept(story: Story) -> None:
    story.admit("a", devices("gpu-0"))
    story.log.append(Acknowledged(ClaimUID("a"), story.now, devices("gpu-1").devices.results))


def acknowledged_too_early(story: Story) -> None:
    story.log.append(Acknowledged(ClaimUID("a"), story.now, devices("gpu-0").devices.results))
    story.admit("a", devices("gpu-0"))


def refusal_that_nobody_told(story: Story) -> None:
    story.log.append(Acknowledged(ClaimUID("a"), story.now, None))


def never_answered(story: Story) -> None:
    story.show("k")


def never_answered_over_the_bus(story: Story) -> None:
    story.log.append(Unanswered(ClaimUID("a"), "allocate: asked again and again"))


def held_after_the_end(story: Story) -> None:
    story.show("k")
    story.end("k")
    story.give("k", devices("gpu-0"))


def adoption_forgotten(story: Story) -> None:
    story.show("f", devices("gpu-0"), KUBE_SCHEDULER)


def acknowledged_fact_lost(story: Story) -> None:
    story.log.append(Told("claim k", story.now + 1))


def acknowledged_fact_replaced(story: Story) -> None:
    story.log.append(Told("claim k", story.now))


def a_gap(story: Story) -> None:
    del story.events[1]


@pytest.mark.parametrize(
    ("tell", "sentence"),
    [
        (given_twice, "gpu-0 is given twice: to default/a and to default/b"),
        (written_over, "node-00/gpu-0 is given twice: to claim a and to claim b"),
        (given_beside_another_scheduler, "gpu-0 is given twice: to default/f and to default/a"),
        (conflict_kept_quiet, "gpu-0 is held by default/a and default/f, and the ledger tells no conflict"),
        (counter_overdrawn, "counter slices of gpu-0 has 8, and 12 is drawn"),
        (capacity_overfull, "of memory of gpu-0 there is 85899345920, and 86436216832 is given"),
        (share_given_twice, "share share-0 of gpu-0 is held 2 times"),
        (device_that_never_was, "gpu-9 was given, but no inventory ever had it"),
        (answer_without_a_ledger, "gpu-0, but the ledger has nothing"),
        (half_a_group, "claim a is allocated without claim b, together with which it was asked for"),
        (two_answers, "gpu-1, though nothing took them away"),
        (forgotten_by_the_ledger, "and now nothing, though nothing took them away"),
        (ended_by_nobody, "claim a ended, though nobody had asked for it"),
        (back_after_the_release, "claim a is back, though it ended at"),
        (given_after_the_release, "claim a is given gpu.nvidia.com/node-00/gpu-0, though it ended at"),
        (release_that_was_lost, "the release of claim a is not in the history"),
        (acknowledged_and_not_kept, "node-00/gpu-1, which was not the answer by then"),
        (acknowledged_too_early, "node-00/gpu-0, which was not in the ledger by then"),
        (refusal_that_nobody_told, "a refusal, which was not the answer by then"),
        (never_answered, "in the end claim k has no answer"),
        (never_answered_over_the_bus, "claim a was never answered: allocate: asked again and again"),
        (held_after_the_end, "in the end claim k holds gpu.nvidia.com/node-00/gpu-0, though it ended at"),
        (adoption_forgotten, "has gpu.nvidia.com/node-00/gpu-0 in Kubernetes, but nothing in the ledger"),
        (acknowledged_fact_lost, "claim k was acknowledged, but the history ends at"),
        (acknowledged_fact_replaced, "claim k was acknowledged, but inventory"),
        (a_gap, "the history has nothing between 1 and 3"),
    ],
)
def test_a_history_that_breaks_a_rule_is_found(tell: Callable[[Story], None], sentence: str) -> None:
    story = Story()
    tell(story)
    assert any(sentence in each for each in story.found()), story.found()
