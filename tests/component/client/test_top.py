"""`slicewire top` on a real bus: on a pipe, on a terminal of its own, and when it is told to end."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from slicewire.client.top import _frames
from slicewire.client.toppicture import Choice, Frame, Sort
from slicewire.common.messages import INVENTORY
from tests.component.allocator.world import World, claim, pool
from tests.component.client.command import COMMAND, ENVIRON, Slicewire

SECONDS = 20.0


async def test_a_picture_follows_what_is_told(world: World, nats_url: str) -> None:
    quit_now = asyncio.Event()
    seen: list[Frame] = []
    async with asyncio.timeout(SECONDS), _frames(nats_url, Choice(sort=Sort.NODE), 0.01, quit_now) as frames:
        async for frame in frames:
            seen.append(frame)
            if len(seen) == 1:
                await world.bus.tell(INVENTORY, pool("node-b", 3))
            elif frame.nodes == 2 and not frame.held:
                await world.allocate(claim("one", 2))
            elif frame.held == 2:
                quit_now.set()
    assert [row.node for row in seen[-1].rows] == ["node-a", "node-b"]
    assert (seen[0].nodes, seen[-1].devices, seen[-1].claims) == (1, 5, 1)


async def test_nothing_is_drawn_while_nothing_changes(world: World, nats_url: str) -> None:
    quit_now = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, quit_now.set)
    async with asyncio.timeout(SECONDS), _frames(nats_url, Choice(), 0.01, quit_now) as frames:
        assert len([frame async for frame in frames]) == 1


@asynccontextmanager
async def on_a_terminal(
    url: str, *options: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """The command, with a terminal of 100 by 30 for itself: our end of it, and its own."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (30, 100))
    environ = {**ENVIRON, "SLICEWIRE_NATS_URL": url, "TERM": "xterm", "HOME": "/nonexistent"}
    process = await asyncio.create_subprocess_exec(
        COMMAND, "top", *options, env=environ, stdin=its, stdout=its, stderr=its
    )
    try:
        yield process, ours, its
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
        os.close(its)


async def until_shown(ours: int, what: bytes) -> bytes:
    """Everything that was drawn, as far as this."""
    drawn = b""
    async with asyncio.timeout(SECONDS):
        while what not in drawn:
            drawn += await asyncio.to_thread(os.read, ours, 65536)
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("end", ["q", "ctrl-c", "terminate"])
async def test_on_a_terminal_it_is_drawn_and_leaves_it_as_it_was(
    world: World, nats_url: str, end: str
) -> None:
    async with on_a_terminal(nats_url, "--interval", "0.1") as (process, ours, its):
        before = termios.tcgetattr(its)
        await until_shown(ours, b"node-a")
        if end == "q":
            os.write(ours, b"q")
        else:
            process.send_signal(signal.SIGINT if end == "ctrl-c" else signal.SIGTERM)
        after = await until_shown(ours, b"\x1b[?1049l")
        async with asyncio.timeout(SECONDS):
            status = await process.wait()
        assert status == 0
        assert b"Traceback" not in after
        assert termios.tcgetattr(its) == before


@pytest.mark.slow
async def test_on_a_pipe_it_is_json_lines(world: World, nats_url: str, slicewire: Slicewire) -> None:
    process = await slicewire.start("top", "--interval", "0.1")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            first: dict[str, Any] = json.loads(await process.stdout.readline())
            await world.allocate(claim("one"))
            while not (later := json.loads(await process.stdout.readline()))["held"]:
                pass
    finally:
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (first["nodes"], first["devices"], first["held"]) == (1, 2, 0)
    assert later["rows"][0]["free"] == 1
    assert b"Traceback" not in err


@pytest.mark.slow
async def test_once_is_one_picture(world: World, slicewire: Slicewire) -> None:
    in_json = await slicewire("top", "--once")
    assert (in_json.status, in_json.json["nodes"]) == (0, 1)
    drawn = await slicewire("top", "--once", "-o", "table", "--only", "bad")
    assert "1 nodes  2 devices" in drawn.out
    assert "node-a" not in drawn.out


@pytest.mark.slow
async def test_without_a_bus_it_says_so(slicewire: Slicewire) -> None:
    ended = await slicewire("top", "--once", "--nats-url", "nats://127.0.0.1:1")
    assert ended.status == 1
    assert "no NATS server answers" in ended.err
    assert sys.executable
