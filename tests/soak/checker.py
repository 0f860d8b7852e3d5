"""The judge: an ordered history and what clients were told in, everything that went wrong out. Pure.

The history is replayed event by event, and looked at whenever a commit is complete. Refuses to guess:
a history with a gap is a violation by itself, since nobody can say what was in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    LEDGERS,
    SLICEWIRE,
    ClaimAnswered,
    ClaimObserved,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import ClaimUID
from tests.soak import giving
from tests.soak.evidence import Acknowledged, Entry, Event, Released, Releasing, Told, Unanswered
from tests.soak.lives import NOTHING, Devices, Life, Lives, answered, devices, shown

_ORDER = {CLAIMS.kind: 0, LEDGERS.kind: 1, ANSWERS.kind: 2}
"""In which an allocator writes the facts of one commit."""


def violations(events: Iterable[Event], log: Sequence[Entry]) -> tuple[str, ...]:
    """Everything that went wrong, each as a sentence with its sequences."""
    replay = _Replay(log)
    for commit in commits(replay.counted(events)):
        replay.take_in(commit)
    replay.end()
    return tuple(replay.found)


def commits(events: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
    """Events that were told all or none. Two commits of one author without anything in between may
    come as one, which only makes the checks look later, and never between the facts of one commit."""
    commit: list[Event] = []
    for event in events:
        if commit and not _continues(commit, event):
            yield tuple(commit)
            commit = []
        commit.append(event)
    if commit:
        yield tuple(commit)


def _continues(commit: Sequence[Event], event: Event) -> bool:
    last = commit[-1]
    return (
        event.author == last.author
        and event.number == last.number + 1
        and event.sequence == last.sequence + 1
        and _ORDER.get(event.kind, -1) >= _ORDER.get(last.kind, 3)
        and all((event.kind, event.key) != (each.kind, each.key) for each in commit)
    )


class _Replay:
    def __init__(self, log: Sequence[Entry]) -> None:
        self.found: list[str] = []
        self._log = log
        self._lives = Lives()
        self._pools: dict[tuple[str, ...], giving.Defined] = defaultdict(giving.Defined)
        self._last = 0
        self._told = {entry.sequence: entry.subject for entry in log if isinstance(entry, Told)}
        self._releasing: dict[ClaimUID, int] = {}
        for entry in log:
            if isinstance(entry, Releasing):
                self._releasing.setdefault(entry.uid, entry.after)

    def counted(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if event.sequence != self._last + 1:
                self.found.append(f"the history has nothing between {self._last} and {event.sequence}")
            self._last = event.sequence
            subject = self._told.pop(event.sequence, None)
            name = f"{event.kind} {'/'.join(event.key)}"
            if subject not in {None, name}:
                self.found.append(f"{event.sequence}: {subject} was acknowledged, but {name} is kept")
            yield event

    def take_in(self, commit: Sequence[Event]) -> None:
        """Everything of one commit, and then what its claims have become."""
        before: dict[ClaimUID, Devices] = {}
        for event in commit:
            for uid, held in self._hear(event):
                before.setdefault(uid, held)
        end = commit[-1].sequence
        for uid, held in before.items():
            life = self._lives.of(uid)
            self._say(end, self._changed(life, held))
        for event in commit:
            if event.kind == ANSWERS.kind:
                self._say(event.sequence, self._answers(self._lives.of(ClaimUID(event.key[0]))))

    def _say(self, sequence: int, sentences: Iterable[str]) -> None:
        self.found += [f"{sequence}: {sentence}" for sentence in sentences]

    def _hear(self, event: Event) -> Iterator[tuple[ClaimUID, Devices]]:
        """Take one fact in; the claims that it touches, with what they held before."""
        match event.kind:
            case INVENTORY.kind if event.fact is not None:
                self._pools[event.key].hear(cast("PoolObserved", event.fact))
            case CLAIMS.kind:
                self._claim(event)
            case ANSWERS.kind:
                life = self._lives.of(ClaimUID(event.key[0]))
                life.answer = cast("ClaimAnswered | None", event.fact)
                if life.answer is not None:
                    life.answers.append((event.sequence, answered(life.answer.allocation)))
            case LEDGERS.kind:
                yield from self._ledger(event)

    def _claim(self, event: Event) -> None:
        life = self._lives.of(ClaimUID(event.key[0]))
        fact = cast("ClaimObserved | None", event.fact)
        if fact is not None and life.ended_at:
            self._say(event.sequence, [f"{life.label} is back, though it ended at {life.ended_at}"])
        ends = fact is None and life.fact is not None and not life.of_kubernetes
        if ends and self._releasing.get(life.uid, event.sequence) >= event.sequence:
            self._say(event.sequence, [f"{life.label} ended, though nobody had asked for it"])
        life.told(fact, event.sequence)

    def _ledger(self, event: Event) -> Iterator[tuple[ClaimUID, Devices]]:
        before = self._lives.ledgers.get(event.key)
        ledger = cast("LedgerWritten | None", event.fact)
        if ledger is not None:
            place = f"ledger {'/'.join(event.key)}"
            found = giving.faults(before, ledger, self._pools[event.key])
            self._say(event.sequence, (f"{place}: {fault}" for fault in found))
        held = {entry.claim.uid for fact in (before, ledger) if fact for entry in fact.entries}
        was = {uid: self._lives.of(uid).held for uid in held}
        for uid in self._lives.written(event.key, ledger, event.sequence):
            yield uid, was[uid]

    def _answers(self, life: Life) -> Iterator[str]:
        """An answer is in the ledger with its commit, and so are those of the claims it goes with."""
        answer = life.answer
        if answer is None or answer.allocation is None:
            return
        if (given := devices(answer.allocation.devices.results)) != life.held:
            yield f"{life.label} is answered {_named(given)}, but the ledger has {_named(life.held)}"
        for uid in life.together if len(life.answers) == 1 else ():
            other = self._lives.of(uid)
            allocated = other.answer is not None and other.answer.allocation is not None
            if not allocated and not other.ended_at:
                yield f"{life.label} is allocated without {other.label}, together with which it was asked for"
            elif other.answer and other.answer.node != answer.node and not other.ended_at:
                yield f"{life.label} is on {answer.node}, and {other.label} of the same group is not"

    def _changed(self, life: Life, before: Devices) -> Iterator[str]:
        """The claim holds something else than before this commit."""
        now = life.held
        if now == before:
            return
        if before and not life.may_lose(before):
            yield f"{life.label} held {_named(before)} and now {_named(now)}, though nothing took them away"
            for device in sorted(before - now):
                takers = [each.label for each in self._lives.by_uid.values() if device in each.held]
                yield from (f"{device} is given twice: to {life.label} and to {taker}" for taker in takers)
        if now - before and life.ended_at and not life.of_kubernetes:
            yield f"{life.label} is given {_named(now - before)}, though it ended at {life.ended_at}"
        life.may_change = False
        life.holdings.append((life.written_at, now))

    def end(self) -> None:
        self.found += [
            f"{sequence}: {name} was acknowledged, but the history ends at {self._last}"
            for sequence, name in self._told.items()
        ]
        for entry in self._log:
            match entry:
                case Acknowledged():
                    self.found += _acknowledged(entry, self._lives.of(entry.uid))
                case Released() if not 0 < self._lives.of(entry.uid).ended_at <= entry.by:
                    self.found.append(f"{entry.by}: the release of claim {entry.uid} is not in the history")
                case Unanswered():
                    self.found.append(f"claim {entry.uid} was never answered: {entry.what}")
                case _:
                    pass
        for life in list(self._lives.by_uid.values()):
            self.found += [f"in the end {sentence}" for sentence in _left(life, self._is_whole(life))]

    def _is_whole(self, life: Life) -> bool:
        """Nobody of its group is missing, so that there is something to decide."""
        return all(self._lives.of(uid).fact is not None for uid in life.together)


def _acknowledged(entry: Acknowledged, life: Life) -> Iterator[str]:
    """What a client was told is in the history by then; the same for all who were told."""
    results = None if entry.results is None else devices(entry.results)
    said = "a refusal" if results is None else _named(results)
    if (results is None and not any(at <= entry.by for at, _ in life.answers)) or (
        results is not None and not any(at <= entry.by and held == results for at, held in life.answers)
    ):
        yield f"{entry.by}: {life.label} was acknowledged {said}, which was not the answer by then"
    if results and not any(at <= entry.by and held == results for at, held in life.holdings):
        yield f"{entry.by}: {life.label} was acknowledged {said}, which was not in the ledger by then"


def _left(life: Life, is_whole: bool) -> Iterator[str]:
    """What must not be so once everything is quiet."""
    if life.fact is None:
        if life.held:
            yield f"{life.label} holds {_named(life.held)}, though it ended at {life.ended_at}"
        if life.answer is not None:
            yield f"{life.label} has an answer, though it ended at {life.ended_at}"
        return
    wanted = shown(life.fact)
    if wanted is not None and wanted != life.held:
        yield f"{life.label} has {_named(wanted)} in Kubernetes, but {_named(life.held)} in the ledger"
    if wanted is None and life.fact.decided_by == SLICEWIRE and life.answer is None and is_whole:
        yield f"{life.label} has no answer"
    if wanted is None and life.answer is not None:
        given = answered(life.answer.allocation) or NOTHING
        if given != life.held:
            yield f"{life.label} is answered {_named(given)}, but the ledger has {_named(life.held)}"
    if wanted is None and life.answer is None and life.held:
        yield f"{life.label} holds {_named(life.held)} without an answer"


def _named(held: Devices) -> str:
    return ", ".join(sorted(held)) or "nothing"
