"""The door to processes that outlive us: started apart, known by number and start, found by what their
environment says, ended.

A number alone is no name: the kernel gives it to another process later. All of it blocks: call it in a
thread. It sees the processes that this one's /proc shows.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_STATE, _STARTED, _ENDED = 0, 19, "ZX"
"""Fields of /proc/<pid>/stat after the name (proc_pid_stat(5))."""
_READ_WRITE_BY_US = 0o644
_STANDARD_ERROR = 2
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class Running(msgspec.Struct, frozen=True):
    """One process, and no later one with its number."""

    pid: int
    started: str
    """In the kernel's clock ticks since boot."""


def start(command: Sequence[str], environment: Mapping[str, str], output: Path) -> Running:
    """In a session of its own, so that what ends us does not end it. What it says goes through no link, and
    into no pipe that nobody reads. Raises `OSError`."""
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    pid = os.posix_spawn(
        command[0],
        list(command),
        environment,
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), appending, _READ_WRITE_BY_US),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, one) for one in _inherited()),
        ),
        setsid=True,
        setsigdef=(signal.SIGPIPE,),  # which Python ignores
    )
    return Running(pid, _stat(pid)[_STARTED])


def is_running(process: Running) -> bool:
    """False for one that has ended, which is then forgotten by the kernel too."""
    stat = _stat(process.pid)
    if not stat or stat[_STARTED] != process.started:
        return False
    if stat[_STATE] in _ENDED:
        with suppress(ChildProcessError):  # of a process before us it is init that is told
            os.waitpid(process.pid, os.WNOHANG)
        return False
    return True


def with_variable(name: str) -> Iterator[tuple[Running, Mapping[str, str]]]:
    """Every process whose environment has this variable, and its environment."""
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        environment = _environment(folder)
        stat = _stat(int(folder.name))
        if name in environment and stat:
            yield Running(int(folder.name), stat[_STARTED]), environment


def has_ended(process: Running, seconds: float) -> bool:
    """Whether it ends within this time."""
    with suppress(*_GONE):
        ending = os.pidfd_open(process.pid)
        try:
            if is_running(process):
                select.select([ending], [], [], seconds)
        finally:
            os.close(ending)
    return not is_running(process)


def kill(process: Running) -> None:
    with suppress(ProcessLookupError):
        if is_running(process):
            os.kill(process.pid, signal.SIGKILL)


def _inherited() -> Iterator[int]:
    """What whoever started us has left open, and would wait for."""
    for name in os.listdir(_PROC / "self" / "fd"):  # noqa: PTH208 - names are numbers here
        with suppress(OSError):
            if int(name) > _STANDARD_ERROR and os.get_inheritable(int(name)):
                yield int(name)


def _stat(pid: int) -> list[str]:
    """Empty where there is no such process. A name may have spaces and brackets in it."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except _GONE:
        return []


def _environment(folder: Path) -> Mapping[str, str]:
    """As it was at the start; empty where it is not ours to read."""
    try:
        data = (folder / "environ").read_bytes()
    except (*_GONE, OSError):
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}
