"""An MPS control daemon and the driver's program that starts, asks, tells and ends it.

It knows directories and variables; which daemon is wanted is said by a step. All of it blocks: call it in a
thread. Raises `DaemonFault` where the program does not do what it should, and `DiskFault`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from slicewire.node_prep import driverfiles, files, mounts, mpsasking, processes
from slicewire.node_prep.core.mpsclients import LOG, PIPE, SHM
from slicewire.node_prep.core.steps import StartMps
from slicewire.node_prep.mpsasking import Start
from slicewire.node_prep.processes import Running

LIBRARIES = "lib"
"""Links to the driver's, in a daemon's folder where it needs them."""
_PROGRAM = "nvidia-cuda-mps-control"
_PIPE_VARIABLE, _LOG_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
_DEVICES_VARIABLE = "CUDA_VISIBLE_DEVICES"
_ARE_YOU_THERE = "get_default_active_thread_percentage"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 1.0
_ANSWER_SECONDS = 10.0
_QUIT_SECONDS, _KILLED_SECONDS = 5.0, 5.0
_WANTED, _CONFIGURED, _OUTPUT = "wanted.json", "configured.json", "output.log"
_LAST_WORDS = 300


class DaemonFault(Exception):
    """A daemon, or the program that talks to it, does not do what it should; the message says what."""


class Configured(msgspec.Struct, frozen=True):
    """A daemon that was told everything, and what for."""

    process: Running
    step: StartMps


def program_of(driver_root: Path) -> Path | None:
    """The control program of the driver below this root."""
    return driverfiles.program(driver_root, _PROGRAM)


def with_these(root: Path, devices: frozenset[str]) -> frozenset[str]:
    """The names of the daemons below `root` that were started for one of these devices, by our own word:
    what a process says of itself, any container can say."""
    found = ((name, _wanted(root / name)) for name in files.names(root))
    return frozenset(
        name for name, step in found if step is not None and devices & {device.key for device in step.devices}
    )


class Daemon:
    """The one that has this folder, running or not; a keeper is asked to start it where there is one."""

    def __init__(self, folder: Path, program: Path | None, keeper: Path | None = None) -> None:
        self._folder = folder
        self._program = program
        self._keeper = keeper
        self._pipe, self._log = folder / PIPE, folder / LOG

    def start(self, step: StartMps, uuids: tuple[str, ...], libraries: Path | None) -> Running:
        """It may answer much later."""
        files.clear(self._pipe)
        files.write(self._folder / _WANTED, msgspec.json.encode(step), files.READABLE_BY_ALL)
        start = Start(
            daemon=self._folder.name,
            devices=uuids,
            multi_user=step.multi_user,
            own_libraries=libraries is not None,
        )
        if self._keeper is None:
            return self.spawn(start)
        answer = mpsasking.ask(self._keeper, start)
        if isinstance(answer, str):
            raise DaemonFault(answer)
        return answer

    def spawn(self, start: Start) -> Running:
        """As a child of this process."""
        environment = {
            **self._environment(),
            _DEVICES_VARIABLE: ",".join(start.devices),
            **({"LD_LIBRARY_PATH": str(self._folder / LIBRARIES)} if start.own_libraries else {}),
        }
        command = [*self._with_own_shm(), str(self._program), "-f", *(("-M",) if start.multi_user else ())]
        try:
            return processes.start(command, environment, self._log / _OUTPUT)
        except OSError as error:
            raise DaemonFault(f"{self._program} cannot be started: {error.strerror}") from error

    def await_ready(self, process: Running, patience_seconds: float) -> None:
        """Until it answers."""
        deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
        while not self._is_there():
            if processes.has_ended(process, pause):
                raise DaemonFault(f"it ended by itself: {self._last_words()}")
            if time.monotonic() > deadline:
                raise DaemonFault(f"no answer within {patience_seconds:g} s: {self._last_words()}")
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def ask(self, *commands: str) -> str:
        try:
            done = subprocess.run(
                [str(self._program)],
                input="".join(f"{command}\n" for command in commands),
                env=self._environment(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DaemonFault(f"{commands[0]}: {error}") from error
        if done.returncode:
            raise DaemonFault(f"{commands[0]}: {_in_one_line(done.stdout + done.stderr)}")
        return done.stdout

    def end(self) -> None:
        """Asked to quit, then killed, with the servers it has started; ended already is as good."""
        running = tuple(self.running())
        if running:
            patience = _QUIT_SECONDS if self._quits() else 0.0
            deadline = time.monotonic() + patience
            for process in running:
                if not processes.has_ended(process, max(0.0, deadline - time.monotonic())):
                    processes.kill(process)
            for process in running:
                if not processes.has_ended(process, _KILLED_SECONDS):
                    raise DaemonFault(f"process {process.pid} does not end, though it was killed")
        files.delete(self._folder / _CONFIGURED)

    def running(self) -> Iterator[Running]:
        """The daemon and its servers, whoever started them."""
        for process, environment in processes.with_variable(_PIPE_VARIABLE):
            if environment[_PIPE_VARIABLE] == str(self._pipe) and processes.is_running(process):
                yield process

    def configured(self) -> Configured | None:
        """What runs and was told everything; None where nothing does."""
        data = files.read(self._folder / _CONFIGURED)
        try:
            found = None if data is None else msgspec.json.decode(data, type=Configured)
        except msgspec.DecodeError:
            return None
        return found if found is not None and found.process in self.running() else None

    def remember(self, process: Running, step: StartMps) -> None:
        data = msgspec.json.encode(Configured(process, step))
        files.write(self._folder / _CONFIGURED, data, files.READABLE_BY_ALL)

    def _environment(self) -> Mapping[str, str]:
        """None of our own, which is nobody else's business."""
        folders = [] if self._program is None else [str(self._program.parent)]
        return {
            "PATH": ":".join((*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin")),
            _PIPE_VARIABLE: str(self._pipe),
            _LOG_VARIABLE: str(self._log),
        }

    def _with_own_shm(self) -> tuple[str, ...]:
        """The daemon and its clients must have one /dev/shm; where we may not mount, that is everybody's."""
        shm = self._folder / SHM
        return (sys.executable, "-I", "-S", mounts.__file__, str(shm)) if mounts.is_mounted(shm) else ()

    def _is_there(self) -> bool:
        try:
            float(self.ask(_ARE_YOU_THERE))
        except (DaemonFault, ValueError):
            return False
        return True

    def _quits(self) -> bool:
        with suppress(DaemonFault):
            self.ask("quit")
            return True
        return False

    def _last_words(self) -> str:
        said = files.read(self._log / _OUTPUT) or b""
        return _in_one_line(said.decode(errors="replace"))[-_LAST_WORDS:]


def _wanted(folder: Path) -> StartMps | None:
    data = files.read(folder / _WANTED)
    try:
        return None if data is None else msgspec.json.decode(data, type=StartMps)
    except msgspec.DecodeError:
        return None


def _in_one_line(text: str) -> str:
    return " ".join(text.split()) or "it said nothing"
