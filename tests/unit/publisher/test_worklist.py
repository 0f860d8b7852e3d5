"""Keys that need a look: one at a time each, none forgotten, failures later and later."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from slicewire.publisher.worklist import Again, Worklist
from tests.unit.publisher.virtual import in_virtual_time, now


class Looks:
    """Looks that take a second, and fail as long as `failing` says so."""

    def __init__(self, failing: int = 0, after_seconds: float = 0.0) -> None:
        self.begun: list[tuple[float, str]] = []
        self.most_at_once = 0
        self._busy: set[str] = set()
        self._failing = failing
        self._after_seconds = after_seconds

    async def __call__(self, key: str) -> None:
        assert key not in self._busy, f"{key} is looked at twice at once"
        self.begun.append((now(), key))
        self._busy.add(key)
        self.most_at_once = max(self.most_at_once, len(self._busy))
        await asyncio.sleep(1)
        self._busy.discard(key)
        if len(self.begun) <= self._failing:
            raise Again(self._after_seconds)


@asynccontextmanager
async def working(
    worklist: Worklist[str], look: Callable[[str], Awaitable[None]], workers: int = 4
) -> AsyncIterator[None]:
    task = asyncio.create_task(worklist.work(look, workers))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_different_keys_are_looked_at_in_parallel_by_as_many_as_there_are_workers() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks()
        for key in "abcdef":
            worklist.add(key)
        async with working(worklist, looks, workers=4):
            await asyncio.sleep(10)
        assert looks.begun == [(0, "a"), (0, "b"), (0, "c"), (0, "d"), (1, "e"), (1, "f")]
        assert looks.most_at_once == 4

    in_virtual_time(main())


def test_a_key_added_twice_is_looked_at_once() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks()
        worklist.add("a")
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(10)
        assert looks.begun == [(0, "a")]

    in_virtual_time(main())


def test_a_key_added_while_it_is_looked_at_gets_one_more_look_and_never_two_at_once() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks()
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(0.5)
            worklist.add("a")
            worklist.add("a")
            await asyncio.sleep(10)
        assert looks.begun == [(0, "a"), (1, "a")]

    in_virtual_time(main())


def test_a_busy_key_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks()
        worklist.add("a")
        async with working(worklist, looks, workers=2):
            await asyncio.sleep(0.5)
            worklist.add("a")
            worklist.add("b")
            await asyncio.sleep(10)
        assert looks.begun == [(0, "a"), (0.5, "b"), (1, "a")]

    in_virtual_time(main())


def test_after_every_failure_the_pause_is_longer_up_to_a_limit_and_success_forgets() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks(failing=10)
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(100)
            times = [time for time, _ in looks.begun]
            pauses = [round(later - time - 1, 3) for time, later in itertools.pairwise(times)]
            assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0]
            await asyncio.sleep(100)
        assert len(looks.begun) == 11

    in_virtual_time(main())


def test_a_wish_to_be_asked_later_is_granted() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks(failing=1, after_seconds=30)
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(100)
        assert looks.begun == [(0, "a"), (31, "a")]

    in_virtual_time(main())


def test_news_of_a_failed_key_are_looked_at_at_once() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks(failing=1, after_seconds=30)
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(5)
            worklist.add("a")
            await asyncio.sleep(100)
        assert looks.begun == [(0, "a"), (5, "a")]

    in_virtual_time(main())


def test_news_of_a_key_that_keeps_failing_do_not_multiply_its_retries() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks(failing=1000, after_seconds=30)
        worklist.add("a")
        async with working(worklist, looks):
            for _ in range(10):
                await asyncio.sleep(2)
                worklist.add("a")
            await asyncio.sleep(10)
            before = len(looks.begun)
            await asyncio.sleep(310)
        assert len(looks.begun) - before == 10

    in_virtual_time(main())


def test_days_of_failures_are_survived() -> None:
    async def main() -> None:
        worklist, looks = Worklist[str](), Looks(failing=1200)
        worklist.add("a")
        async with working(worklist, looks):
            await asyncio.sleep(24 * 3600)
        assert len(looks.begun) == 1201

    in_virtual_time(main())


def test_a_fault_that_is_no_wish_to_look_again_ends_the_work() -> None:
    async def broken(key: str) -> None:
        raise LookupError(key)

    async def main() -> None:
        worklist = Worklist[str]()
        worklist.add("a")
        with pytest.raises(ExceptionGroup) as caught:
            await worklist.work(broken, workers=2)
        assert [type(error) for error in caught.value.exceptions] == [LookupError]

    in_virtual_time(main())
