"""Child processes that are kept alive: one that dies is started again, until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

_STOP_SECONDS = 5.0
_SHORTEST_LIFE_SECONDS = 2.0
_MOST_WAIT_SECONDS = 10.0


class NotInstalled(Exception):
    """A command of Slicewire's is missing here; the message says how to get it."""


class Command(msgspec.Struct, frozen=True):
    """What to run. `name` is how people call it: `allocator-1`, `node-prep@node-a`."""

    name: str
    program: str
    environ: Mapping[str, str]
    log: Path


class Child:
    """One command, kept running."""

    def __init__(self, command: Command, say: Callable[[str], None]) -> None:
        self.command = command
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep(self) -> None:
        """Start it, and start it again whenever it ends, later each time if it ends at once."""
        loop = asyncio.get_running_loop()
        program = str(find_program(self.command.program))
        while True:
            begun = loop.time()
            with self.command.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    program, env=_environ(self.command.environ), stdout=log, stderr=log
                )
            status = await self._process.wait()
            short = loop.time() - begun < _SHORTEST_LIFE_SECONDS
            self._restarts = self._restarts + 1 if short else 0
            self._say(
                f"{self.command.name} ended ({_ending(status)}); starting it again; see {self.command.log}"
            )
            await asyncio.sleep(wait_seconds(self._restarts))

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def wait_seconds(short_lives: int) -> float:
    """How long to wait before the next start, after so many lives in a row that were short."""
    return min(2.0 ** min(short_lives - 2, 10), _MOST_WAIT_SECONDS) if short_lives else 0.0


def find_program(program: str) -> Path:
    """A Slicewire command beside this interpreter. Raises `NotInstalled`."""
    path = Path(sys.executable).parent / program
    if not path.exists():
        raise NotInstalled(
            f"{program} is not installed beside {sys.executable}: pip install 'slicewire-client[up]'"
        )
    return path


def _environ(own: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that were meant for somebody else."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLICEWIRE_")}
    return {**inherited, **own}


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
