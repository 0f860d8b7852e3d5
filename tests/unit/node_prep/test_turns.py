"""Turns of two processes on one node's state; two open files stand for the two processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.turns import Turns

SOON_SECONDS = 5.0


class Instance:
    def __init__(self, folder: Path, name: str, course: list[str]) -> None:
        self.turns = Turns(folder)
        self.turns.open()
        self.name = name
        self.course = course
        self.done = asyncio.Event()

    async def _take_over(self) -> None:
        self.course.append(f"{self.name} takes over")

    async def work(self, what: str, until: asyncio.Event | None = None) -> None:
        async with self.turns.taken(self._take_over):
            self.course.append(f"{self.name} begins {what}")
            if until is not None:
                await until.wait()
            self.course.append(f"{self.name} ends {what}")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Instance, Instance]]:
    course: list[str] = []
    old, new = Instance(tmp_path, "old", course), Instance(tmp_path, "new", course)
    with closing(old.turns), closing(new.turns):
        yield old, new


async def until(what: str, course: list[str]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while what not in course:
            await asyncio.sleep(0)


async def test_who_had_the_last_turn_takes_nothing_over(two: tuple[Instance, Instance]) -> None:
    old, _ = two
    await old.work("1")
    await old.work("2")
    assert old.course == ["old takes over", "old begins 1", "old ends 1", "old begins 2", "old ends 2"]


async def test_each_learns_what_the_other_did_before_it_begins(two: tuple[Instance, Instance]) -> None:
    old, new = two
    for one in (old, new, old):
        await one.work("1")
    assert [step for step in old.course if "takes" in step] == [
        "old takes over",
        "new takes over",
        "old takes over",
    ]
    assert old.turns.was_last_ours()
    assert not new.turns.was_last_ours()


async def test_what_one_process_does_goes_side_by_side(two: tuple[Instance, Instance]) -> None:
    old, _ = two
    both = asyncio.Event()
    async with asyncio.timeout(SOON_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(old.work("1", both))
        tasks.create_task(old.work("2", both))
        await until("old begins 2", old.course)
        assert "old ends 1" not in old.course
        both.set()


async def test_nobody_overtakes_who_waits(two: tuple[Instance, Instance]) -> None:
    old, new = two
    first = asyncio.Event()
    async with asyncio.timeout(SOON_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(old.work("1", first))
        await until("old begins 1", old.course)
        waiting = tasks.create_task(new.work("1"))
        while not gate_is_taken(old.turns):
            await asyncio.sleep(0)
        tasks.create_task(old.work("2"))
        first.set()
        await waiting
    assert old.course.index("new ends 1") < old.course.index("old begins 2")


def gate_is_taken(turns: Turns) -> bool:
    """By asking for it from a third place."""
    descriptor = os.open(turns._folder / "gate.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def test_a_turn_that_cannot_be_taken_over_is_given_back(two: tuple[Instance, Instance]) -> None:
    old, new = two

    async def fails() -> None:
        raise DiskFault("reading the checkpoint: Input/output error")

    with pytest.raises(DiskFault):
        async with old.turns.taken(fails):
            pass
    async with asyncio.timeout(SOON_SECONDS):
        await new.work("1")
    assert not old.turns.was_last_ours()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFault, match=r"making .*file/below: Not a directory"):
        Turns(tmp_path / "file" / "below").open()
