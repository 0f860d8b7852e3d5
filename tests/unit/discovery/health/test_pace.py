"""Rare news is acted on at once, and a flood at a steady pace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slicewire.discovery.core.health.pace import Pace

SECOND = 1_000_000_000


def test_the_first_few_are_at_once_and_the_next_has_to_wait() -> None:
    pace = Pace(per_second=5, at_once=3)
    for _ in range(3):
        assert pace.wait(SECOND) == 0
        pace = pace.used(SECOND)
    assert pace.wait(SECOND) == SECOND // 5


def test_after_a_rest_it_is_as_at_first() -> None:
    pace = Pace(per_second=5, at_once=3)
    for _ in range(3):
        pace = pace.used(0)
    assert [pace.wait(10 * SECOND), pace.used(10 * SECOND).wait(10 * SECOND)] == [0, 0]


@given(st.lists(st.integers(min_value=0, max_value=SECOND), max_size=60))
def test_never_more_than_the_pace_allows(gaps: list[int]) -> None:
    pace, now, times = Pace(per_second=5, at_once=3), 0, []
    for gap in gaps:
        now += gap
        now += pace.wait(now)
        pace = pace.used(now)
        times.append(now)
    for start in times:
        assert sum(start <= time < start + SECOND for time in times) <= 3 + 5
