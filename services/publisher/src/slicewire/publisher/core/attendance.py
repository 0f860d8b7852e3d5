"""Who of those that were asked is there, and who is silent. Pure.

Everybody is asked in rounds, and judged at the end of one, by what became of all questions together: what
befalls the bus looks to each question as if the agent were gone. A round in which the bus itself said
nothing counts for nothing; while most are missing at once, it is more likely that they have yet to find the
bus again, and their absence counts for something only if it lasts. Refuses to know time: a publisher that
slept has not missed anybody meanwhile.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)

ROUNDS = 3
"""So many rounds in a row without an answer are silence."""
STORM_ROUNDS = 20
"""And so many, where most are missing at once."""
_FEW = 2
"""Of so few, a failure of each is no less likely than one of the bus."""


class Word(Enum):
    """What became of a question."""

    ANSWERED = auto()
    REFUSED = auto()
    """The bus says that nobody is there, or the agent that it is stuck."""
    LOST = auto()
    """No word: of the agent, or of the bus."""


class Attendance(msgspec.Struct, Generic[K], frozen=True):
    """What is known of everybody. In none of the three: not heard of yet."""

    present: frozenset[K] = frozenset()
    missed: Mapping[K, int] = {}
    """How many rounds in a row, of those that are not silent yet."""
    silent: frozenset[K] = frozenset()
    storm: int = 0
    """For how many rounds in a row most have been missing."""


def spoke(before: Attendance[K], who: K) -> Attendance[K]:
    """A word of one, whatever it was."""
    missed = {each: rounds for each, rounds in before.missed.items() if each != who}
    return msgspec.structs.replace(
        before, present=before.present | {who}, missed=missed, silent=before.silent - {who}
    )


def left(before: Attendance[K], stay: Iterable[K]) -> Attendance[K]:
    """Only these are to be asked any more."""
    known = frozenset(stay)
    missed = {each: rounds for each, rounds in before.missed.items() if each in known}
    return msgspec.structs.replace(
        before, present=before.present & known, missed=missed, silent=before.silent & known
    )


def after_round(before: Attendance[K], words: Mapping[K, Word]) -> Attendance[K]:
    """Once everybody was asked."""
    if all(word is Word.LOST for word in words.values()):
        return _believed(before, words)
    answered = frozenset(who for who, word in words.items() if word is Word.ANSWERED)
    present, silent = before.present | answered, before.silent - answered
    missing = frozenset(words) - answered - silent
    if _is_storm(len(missing), len(words) - len(silent)):
        storm = before.storm + 1
        gone = missing if storm >= STORM_ROUNDS else frozenset[K]()
        return Attendance(present=present - gone, silent=silent | gone, storm=storm)
    missed = {who: before.missed.get(who, 0) + 1 for who in missing}
    gone = frozenset(who for who, rounds in missed.items() if rounds >= ROUNDS)
    return Attendance(
        present=present - gone,
        missed={who: rounds for who, rounds in missed.items() if who not in gone},
        silent=silent | gone,
    )


def _believed(before: Attendance[K], words: Iterable[K]) -> Attendance[K]:
    """Nothing is known: who was not silent is taken at its last word, so that a bus that lets nobody ask
    keeps nothing from being published."""
    present = before.present | (frozenset(words) - before.silent)
    return msgspec.structs.replace(before, present=present, missed={})


def _is_storm(missing: int, asked: int) -> bool:
    return missing > _FEW and 2 * missing > asked
