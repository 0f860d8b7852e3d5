"""Run one part of Slicewire until it is told to stop. A clean stop exits 0, bad settings exit 2."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from slicewire.common import logs
from slicewire.common.bus.port import BusTooOld
from slicewire.common.settings import BadSettings


def run(serve: Callable[[], Coroutine[Any, Any, None]]) -> NoReturn:
    """Serve until SIGTERM or SIGINT. What the operator must mend is said in one line, not a traceback."""
    status = 0
    try:
        asyncio.run(_until_told_to_stop(serve()))
    except* (BadSettings, BusTooOld) as group:
        sys.stderr.write(f"{logs.shown(str(_first(group)))}\n")
        status = 2
    sys.exit(status)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def _until_told_to_stop(work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
