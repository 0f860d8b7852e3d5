"""Who is there, who is silent, and what is only the bus."""

from __future__ import annotations

from slicewire.publisher.core.attendance import (
    ROUNDS,
    STORM_ROUNDS,
    Attendance,
    Word,
    after_round,
    left,
    spoke,
)

FLEET = tuple(f"node-{number}" for number in range(10))
BY_ONE = FLEET[:1]


def round_of(before: Attendance[str], *missing: str, word: Word = Word.REFUSED) -> Attendance[str]:
    """One in which only these do not answer."""
    return after_round(before, {who: word if who in missing else Word.ANSWERED for who in FLEET})


def rounds(before: Attendance[str], number: int, *missing: str, word: Word = Word.REFUSED) -> Attendance[str]:
    for _ in range(number):
        before = round_of(before, *missing, word=word)
    return before


def test_nobody_is_present_or_silent_before_anybody_is_asked() -> None:
    assert Attendance[str]() == Attendance(frozenset(), {}, frozenset())


def test_whoever_answers_is_present() -> None:
    assert round_of(Attendance()).present == set(FLEET)


def test_one_that_misses_a_round_is_still_present() -> None:
    found = rounds(round_of(Attendance()), ROUNDS - 1, "node-0")
    assert "node-0" in found.present
    assert not found.silent


def test_one_that_misses_several_rounds_in_a_row_is_silent() -> None:
    found = rounds(round_of(Attendance()), ROUNDS, "node-0")
    assert found.silent == {"node-0"}
    assert found.present == set(FLEET) - {"node-0"}


def test_one_answer_between_begins_the_count_anew() -> None:
    found = rounds(round_of(Attendance()), ROUNDS - 1, "node-0")
    found = rounds(round_of(found), ROUNDS - 1, "node-0")
    assert not found.silent


def test_a_word_between_rounds_is_as_good_as_an_answer() -> None:
    found = spoke(rounds(round_of(Attendance()), ROUNDS - 1, "node-0"), "node-0")
    assert not round_of(found, "node-0").silent
    silent = rounds(round_of(Attendance()), ROUNDS, "node-0")
    assert spoke(silent, "node-0").present == set(FLEET)


def test_a_silent_one_stays_so_until_it_answers() -> None:
    found = rounds(round_of(Attendance()), ROUNDS + 5, "node-0")
    assert found.silent == {"node-0"}
    assert round_of(found) == Attendance(present=frozenset(FLEET))


def test_a_machine_that_is_gone_is_missed_like_a_process() -> None:
    assert rounds(round_of(Attendance()), ROUNDS, "node-0", word=Word.LOST).silent == {"node-0"}


def test_while_the_bus_says_nothing_nobody_is_missed() -> None:
    found = rounds(round_of(Attendance()), 100, *FLEET, word=Word.LOST)
    assert found == round_of(Attendance())


def test_a_bus_that_lets_nobody_ask_makes_nobody_doubtful() -> None:
    assert round_of(Attendance(), *FLEET, word=Word.LOST).present == set(FLEET)


def test_the_silent_stay_silent_while_the_bus_is_away() -> None:
    found = rounds(round_of(Attendance()), ROUNDS, "node-0")
    assert round_of(found, *FLEET, word=Word.LOST).silent == {"node-0"}


def test_most_of_a_fleet_missing_at_once_is_believed_of_the_bus_first() -> None:
    found = rounds(round_of(Attendance()), STORM_ROUNDS - 1, *FLEET[:6])
    assert not found.silent
    assert found.storm == STORM_ROUNDS - 1
    assert found.present == set(FLEET)


def test_and_of_the_agents_where_it_lasts() -> None:
    found = rounds(round_of(Attendance()), STORM_ROUNDS, *FLEET[:6])
    assert found.silent == set(FLEET[:6])


def test_after_a_storm_the_last_to_come_back_have_all_their_rounds_again() -> None:
    found = rounds(round_of(Attendance()), STORM_ROUNDS - 1, *FLEET)
    found = rounds(found, ROUNDS - 1, *FLEET[:4])
    assert not found.silent
    assert not found.storm
    assert round_of(found, *FLEET[:4]).silent == set(FLEET[:4])


def test_those_that_are_silent_already_make_no_storm() -> None:
    found = rounds(round_of(Attendance()), ROUNDS, *FLEET[:5])
    found = rounds(found, ROUNDS, *FLEET[:7])
    assert found.silent == set(FLEET[:7])


def test_a_single_agent_can_be_missed() -> None:
    found: Attendance[str] = Attendance(present=frozenset(BY_ONE))
    for _ in range(ROUNDS):
        found = after_round(found, dict.fromkeys(BY_ONE, Word.REFUSED))
    assert found.silent == set(BY_ONE)


def test_whoever_is_no_longer_to_be_asked_is_forgotten() -> None:
    found = rounds(round_of(Attendance()), ROUNDS, "node-0")
    found = left(round_of(found, "node-0", "node-1"), FLEET[2:])
    assert found == Attendance(present=frozenset(FLEET[2:]))


def test_a_fleet_of_nobody_is_a_round_of_nothing() -> None:
    assert after_round(Attendance[str](), {}) == Attendance()
