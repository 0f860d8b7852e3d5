"""Programs that outlive the command that starts them, known by their pid files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.places import CannotRun
from tests.cluster.polling import comes_true

_STOP_SECONDS = 10.0


class Daemon:
    """One program of one cluster. A pid alone may be another's by now, so its start time is kept too."""

    def __init__(self, name: str, logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._file = logs / f"{name}.pid"

    @property
    def pid(self) -> int | None:
        try:
            pid, started = self._file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None

    def start(self, command: list[str], environ: Mapping[str, str] | None = None) -> None:
        """Nothing, if it runs already."""
        if self.pid is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            pid = os.posix_spawn(
                command[0],
                command,
                {**os.environ, **(environ or {})},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                    *((os.POSIX_SPAWN_CLOSE, each) for each in _inherited()),
                ],
                setsid=True,
            )
        self._file.write_text(f"{pid} {_started(pid)}")

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            self._ends(pid)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGTERM)
            if not self._ends(pid):
                self.kill()
        self._file.unlink(missing_ok=True)

    def _ends(self, pid: int) -> bool:
        def has_ended() -> bool:
            _reap(pid)
            return self.pid is None

        return comes_true(has_ended, _STOP_SECONDS)

    def last_words(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        except OSError:
            return "(no log)"


def wait(what: str, holds: Callable[[], bool], daemon: Daemon, seconds: float = 60.0) -> None:
    """Raises `CannotRun` with the end of the daemon's log where it never comes true."""
    if not comes_true(holds, seconds, is_hopeless=lambda: daemon.pid is None):
        raise CannotRun(f"{what}: not so; the end of {daemon.log}:\n{daemon.last_words()}")


def _inherited() -> list[int]:
    """What whoever started us left open, a lock perhaps: a daemon that outlives us must not hold it on."""
    found = [int(each.name) for each in Path("/proc/self/fd").iterdir()]
    return [each for each in found if each > 2 and _is_inheritable(each)]


def _is_inheritable(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # it was the listing's own
        return False


def _started(pid: int) -> str:
    """When the process began, in the kernel's ticks; empty for none, or one that is dead already."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] == "Z" else after_name[19]


def _reap(pid: int) -> None:
    """A child of ours that has ended stays a zombie until it is asked about."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
