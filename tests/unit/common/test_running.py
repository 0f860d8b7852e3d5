"""How a part ends, as whoever started it sees it: the exit status, and one line to act on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from slicewire.common import running
from slicewire.common.bus.port import BusTooOld
from slicewire.common.settings import BadSettings

async def until_told():
    print("serving", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("closed", flush=True)

async def in_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(until_told())
        group.create_task(until_told())

async def bad_settings():
    raise BadSettings("SLICEWIRE_HEALTH_PORT='x': Expected `int`")

async def bad_url():
    raise BadSettings("SLICEWIRE_NATS_URL='nats://user:hunter2@bus': no such host")

async def too_old():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait())
        group.create_task(refuse())

async def refuse():
    raise BusTooOld("nats-server 2.10 is too old")

async def ends(): ...

async def bug():
    raise ZeroDivisionError("a bug")

async def cancels_itself():
    asyncio.current_task().cancel()
    await asyncio.sleep(0)

running.run(globals()[sys.argv[1]])
"""


def started(work: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, work], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize(("work", "tasks"), [("until_told", 1), ("in_a_group", 2)])
def test_a_part_that_is_told_to_stop_closes_what_it_opened_and_exits_0(
    work: str, tasks: int, number: signal.Signals
) -> None:
    with started(work) as process:
        assert process.stdout is not None
        for _ in range(tasks):
            assert process.stdout.readline() == "serving\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "closed\n" * tasks, "")


@pytest.mark.parametrize(
    ("work", "line"),
    [
        ("bad_settings", "SLICEWIRE_HEALTH_PORT='x': Expected `int`\n"),
        ("bad_url", "SLICEWIRE_NATS_URL='nats://***@bus': no such host\n"),
        ("too_old", "nats-server 2.10 is too old\n"),
    ],
)
def test_what_the_operator_must_mend_is_one_line_and_status_2(work: str, line: str) -> None:
    with started(work) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (2, "", line)


def test_work_that_ends_by_itself_exits_0() -> None:
    with started("ends") as process:
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_a_bug_is_a_traceback_and_status_1() -> None:
    with started("bug") as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "ZeroDivisionError: a bug" in err


def test_a_cancellation_that_nobody_asked_for_is_no_clean_stop() -> None:
    with started("cancels_itself") as process:
        process.communicate(timeout=20)
    assert process.returncode != 0
