"""Children that are kept alive: started again when they die, later each time, and gone when told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slicewire.client.local.processes import Child, Command, NotInstalled, find_program, wait_seconds
from tests.component.allocator.world import until

pytestmark = pytest.mark.slow

WAITS = 'echo "$$" >> "$PIDS"; exec sleep 600'


class Kept:
    """A child, what it said, and the pids its program wrote down."""

    def __init__(self, folder: Path, text: str, environ: Mapping[str, str]) -> None:
        script = folder / "part"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        self._pids = folder / "pids"
        self.log = folder / "part.log"
        self.said: list[str] = []
        own = {"PIDS": str(self._pids), **environ}
        self.child = Child(Command("part-1", str(script), own, self.log), self.said.append)

    async def lives(self, count: int) -> list[int]:
        """The pids of all lives, once there have been so many."""

        async def look() -> list[int]:
            return [int(line) for line in self._pids.read_text().split()] if self._pids.exists() else []

        return await until(look, lambda pids: len(pids) >= count)

    async def is_known_as(self, pid: int) -> None:
        """A script may write its pid before its parent hears that it has begun."""

        async def look() -> int | None:
            return self.child.pid

        await until(look, lambda known: known == pid)


@asynccontextmanager
async def kept(folder: Path, text: str = WAITS, **environ: str) -> AsyncIterator[Kept]:
    made = Kept(folder, text, environ)
    task = asyncio.create_task(made.child.keep())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await made.child.stop()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_child_that_is_killed_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    async with kept(tmp_path) as part:
        (first,) = await part.lives(1)
        await part.is_known_as(first)
        part.child.kill()
        _, second = await part.lives(2)
        assert second != first
        await part.is_known_as(second)
        assert is_gone(first)
    assert part.said == [f"part-1 ended (SIGKILL); starting it again; see {part.log}"]


async def test_a_child_that_exits_at_once_is_started_again_and_its_words_are_in_the_log(
    tmp_path: Path,
) -> None:
    async with kept(tmp_path, 'echo "$$" >> "$PIDS"; echo no bus >&2; exit 3') as part:
        await part.lives(2)
    assert part.said[0] == f"part-1 ended (exit 3); starting it again; see {part.log}"
    assert part.log.read_text().startswith("no bus\n")


async def test_a_child_stops_when_told_and_stays_stopped(tmp_path: Path) -> None:
    async with kept(tmp_path) as part:
        (pid,) = await part.lives(1)
    assert is_gone(pid)
    assert part.child.pid is None
    assert part.said == []
    await part.child.stop()


@pytest.mark.slow
async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = 'trap \'\' TERM; echo "$$" >> "$PIDS"; while :; do sleep 0.1; done'
    async with kept(tmp_path, deaf) as part:
        (pid,) = await part.lives(1)
    assert is_gone(pid)


async def test_a_child_that_was_never_started_can_be_stopped_and_killed(tmp_path: Path) -> None:
    part = Kept(tmp_path, WAITS, {})
    part.child.kill()
    await part.child.stop()
    assert part.child.pid is None


async def test_settings_meant_for_another_are_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICEWIRE_NATS_URL", "nats://elsewhere:4222")
    monkeypatch.setenv("OF_EVERYBODY", "yes")
    async with kept(
        tmp_path, f'env > "$SEEN"; {WAITS}', SEEN=str(tmp_path / "seen"), SLICEWIRE_OWN="1"
    ) as part:
        await part.lives(1)
        seen = (tmp_path / "seen").read_text().splitlines()
    assert {"SLICEWIRE_OWN=1", "OF_EVERYBODY=yes"} <= set(seen)
    assert not [line for line in seen if line.startswith("SLICEWIRE_NATS_URL")]


def test_the_wait_grows_to_ten_seconds_and_a_part_is_never_given_up() -> None:
    assert [wait_seconds(lives) for lives in range(7)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert wait_seconds(100_000) == 10.0


def test_a_missing_program_is_named_with_how_to_get_it() -> None:
    with pytest.raises(
        NotInstalled, match=r"slicewire-oracle is not installed .*pip install 'slicewire-client\[up\]'"
    ):
        find_program("slicewire-oracle")


def test_up_says_what_is_not_installed_instead_of_waiting_for_it(tmp_path: Path) -> None:
    bare = tmp_path / "bin" / "python"
    bare.parent.mkdir()
    bare.symlink_to(Path(sys.executable).resolve())
    arguments = ("-m", "slicewire.client.cli", "up", "--simulated", "--state", str(tmp_path / "state"))
    environ = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": ":".join(filter(None, sys.path))}
    ended = subprocess.run(
        [str(bare), *arguments], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert "slicewire-allocator is not installed beside" in ended.stderr
    assert "Traceback" not in ended.stderr
