"""MPS control daemons: their directories, the mode of their GPUs, and the processes themselves.

A daemon outlives us and is known again by its number and its start. One that nobody wrote down, as we were
killed while it started, is known by its directory, and ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from slicewire.common.nvml.facts import ComputeMode
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.node_prep import files, mounts
from slicewire.node_prep.core.driver import Driver
from slicewire.node_prep.core.hardware import FullGpu
from slicewire.node_prep.core.mpsclients import LOG, PIPE, SHM
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    MakeMpsDirectories,
    MpsDevice,
    Notes,
    PlanStep,
    SetExclusiveMode,
    StartMps,
    is_daemon_name,
)
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors.gpus import Gpus, instance_at, taking_back
from slicewire.node_prep.mpscontrol import LIBRARIES, Daemon, DaemonFault, program_of, with_these
from slicewire.node_prep.processes import Running, is_running

_LEAST_SIZE = "65536k"
_MEMORY = Path("/proc/meminfo")
_VOLTA = (7, 0)


class MpsHere(msgspec.Struct, frozen=True, kw_only=True):
    """What of MPS a node offers. What was prepared before is undone in any case."""

    root: Path = Path("/var/lib/kubelet/plugins/gpu.nvidia.com/mps")
    """Holds the directories of all daemons; container runtimes must have it under the same path."""
    refused_because: str = ""
    """Empty where MPS is offered."""
    keeper: Path | None = None
    """The socket of who starts daemons for us; None: they are started here."""
    patience_seconds: float = 30.0
    """How long a daemon may take until it answers. Who asked has given up after 45 s."""


class MakesMpsDirectories:
    """Memory is mounted where we may; where we may not, a plain directory stands in for it."""

    def __init__(self, here: MpsHere) -> None:
        self._here = here

    def ready(self, step: MakeMpsDirectories, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        if self._here.refused_because:
            return PrepareRefusal(Why.UNSUPPORTED, self._here.refused_because)
        return None

    def do(self, step: MakeMpsDirectories, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        folder = self._here.root / step.daemon
        for name in (PIPE, LOG, SHM):
            files.refuse_links(self._here.root, folder / name)
            files.make(folder / name)
        try:
            if not mounts.is_mounted(folder / SHM):
                mounts.mount_memory(folder / SHM, _half_of_memory())
        except PermissionError:
            files.open_to_all(folder / SHM)
            return {"shm": "directory"}
        except OSError as error:
            return PrepareRefusal(Why.DISK, f"mounting {folder / SHM}: {error.strerror}")
        return {"shm": "memory"}

    def undo(self, step: MakeMpsDirectories, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        return removed(self._here.root / step.daemon)

    def found(self, step: MakeMpsDirectories, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        folder = self._here.root / step.daemon
        is_there = all((folder / name).is_dir() for name in (PIPE, LOG, SHM))
        return is_there and (notes.get("shm") == "directory" or mounts.is_mounted(folder / SHM))


class SetsExclusiveMode:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: SetExclusiveMode, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else None

    def do(self, step: SetExclusiveMode, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        self._gpus.nvml.set_compute_mode(step.gpu, ComputeMode.EXCLUSIVE_PROCESS)
        return {}

    def undo(self, step: SetExclusiveMode, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        with taking_back(NvmlCode.NOT_SUPPORTED):
            self._gpus.nvml.set_compute_mode(step.gpu, ComputeMode.DEFAULT)
        return None

    def found(self, step: SetExclusiveMode, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        if isinstance(gpu, PrepareRefusal):
            return gpu
        return gpu.compute_mode is ComputeMode.EXCLUSIVE_PROCESS


class StartsMps:
    def __init__(self, gpus: Gpus, driver: DriverRoot, here: MpsHere) -> None:
        self._gpus = gpus
        self._driver = driver
        self._here = here

    def ready(self, step: StartMps, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        uuids = self._uuids(step)
        if isinstance(uuids, PrepareRefusal):
            return uuids
        if self._program is None:
            return PrepareRefusal(
                Why.DRIVER, f"{step.what}: there is no nvidia-cuda-mps-control in {self._root} of the driver"
            )
        if refusal := self._too_old(step):
            return refusal
        # Who shares the daemon has started it again since it ended.
        known = self._daemon(step.daemon).configured()
        return _notes(known.process) if known is not None and known.step == step else None

    def do(self, step: StartMps, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        uuids = self._uuids(step)
        if isinstance(uuids, PrepareRefusal):
            return uuids
        daemon = self._daemon(step.daemon)
        # One that was told everything was ours before the journal was lost, and may have clients.
        if (known := daemon.configured()) is not None and known.step == step:
            return _notes(known.process)
        try:
            daemon.end()
            self._end_others(step)
            process = daemon.start(step, uuids, self._libraries(step))
            daemon.await_ready(process, self._here.patience_seconds)
            if commands := tuple(_settings(step, uuids)):
                daemon.ask(*commands)
            daemon.remember(process, step)
        except DaemonFault as fault:
            return self._ended(step, daemon) or PrepareRefusal(Why.DRIVER, f"{step.what}: {fault}")
        return _notes(process)

    def undo(self, step: StartMps, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        return self._ended(step, self._daemon(step.daemon))

    def found(self, step: StartMps, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        """Whether it answers is not asked: one that is slow is not to be killed under its clients."""
        return "pid" in notes and is_running(Running(int(notes["pid"]), notes["started"]))

    def end_all_but(self, known: Sequence[PlanStep]) -> PrepareRefusal | None:
        wanted = {step.daemon for step in known if isinstance(step, StartMps | MakeMpsDirectories)}
        for name in files.names(self._here.root):
            if name not in wanted and is_daemon_name(name):  # NVIDIA's driver has its folders there too
                try:
                    self._daemon(name).end()
                except DaemonFault as fault:
                    return PrepareRefusal(Why.BUSY, f"end MPS control daemon {name}: {fault}")
                if refusal := removed(self._here.root / name):
                    return refusal
        return None

    @property
    def _root(self) -> Path:
        return self._gpus.nvml.driver_root

    @property
    def _program(self) -> Path | None:
        return program_of(self._root)

    def _daemon(self, name: str) -> Daemon:
        return Daemon(self._here.root / name, self._program, self._here.keeper)

    def _ended(self, step: StartMps, daemon: Daemon) -> PrepareRefusal | None:
        try:
            daemon.end()
        except DaemonFault as fault:
            return PrepareRefusal(Why.BUSY, f"end MPS control daemon {step.daemon}: {fault}")
        return None

    def _end_others(self, step: StartMps) -> None:
        """Two daemons cannot have one GPU, and no claim of the journal is in our way: another one is a
        leftover of a journal that was lost."""
        devices = frozenset(device.key for device in step.devices)
        for other in with_these(self._here.root, devices) - {step.daemon}:
            self._daemon(other).end()
            removed(self._here.root / other)

    def _too_old(self, step: StartMps) -> PrepareRefusal | None:
        """A server for several users takes a GPU of at least Volta (NVIDIA's MPS guide)."""
        for device in step.devices if step.multi_user else ():
            gpu = self._gpus.one(_gpu(device))
            if isinstance(gpu, PrepareRefusal):
                return gpu
            if _version(gpu.cuda_compute_capability) < _VOLTA:
                return PrepareRefusal(
                    Why.UNSUPPORTED,
                    f"sharing.mpsConfig.multiUser: {gpu.uuid} ({gpu.product_name}) has CUDA compute"
                    f" capability {gpu.cuda_compute_capability}; it takes 7.0",
                )
        return None

    def _uuids(self, step: StartMps) -> tuple[str, ...] | PrepareRefusal:
        found: list[str] = []
        for device in step.devices:
            uuid = self._uuid(device)
            if isinstance(uuid, PrepareRefusal):
                return uuid
            found.append(uuid)
        return tuple(found)

    def _uuid(self, device: MpsDevice) -> str | PrepareRefusal:
        gpu = self._gpus.one(_gpu(device))
        if isinstance(gpu, PrepareRefusal):
            return gpu
        if isinstance(device.hardware, FullGpu):
            return gpu.uuid
        instance = instance_at(gpu, device.hardware)
        for inside in instance.compute_instances if instance is not None else ():
            if device.hardware.uuid in ("", inside.uuid):
                return inside.uuid
        return PrepareRefusal(Why.DRIVER, f"the driver does not see {device.key} now")

    def _libraries(self, step: StartMps) -> Path | None:
        """The driver's libraries and no others, so that a program of the host meets no C library of the
        host; None where the loader finds them unasked."""
        driver = self._driver.look()
        if self._root == Path("/") or not isinstance(driver, Driver):
            return None
        folder = self._here.root / step.daemon / LIBRARIES
        files.refuse_links(self._here.root, folder)
        files.make(folder)
        files.clear(folder)
        names = {path: path for path in driver.libraries} | {one.path: one.library for one in driver.links}
        for name, library in names.items():
            files.link(folder / Path(name).name, self._root / library.lstrip("/"))
        return folder


def removed(folder: Path) -> PrepareRefusal | None:
    """A daemon's directories, when it has ended."""
    try:
        mounts.unmount(folder / SHM)
    except OSError as error:
        return PrepareRefusal(Why.DISK, f"unmounting {folder / SHM}: {error.strerror}")
    files.delete_all(folder)
    return None


def _settings(step: StartMps, uuids: tuple[str, ...]) -> list[str]:
    limits = [
        f"set_default_device_pinned_mem_limit {uuid} {device.memory_mebibytes}M"
        for uuid, device in zip(uuids, step.devices, strict=True)
        if device.memory_mebibytes is not None
    ]
    if step.active_thread_percentage is None:
        return limits
    return [f"set_default_active_thread_percentage {step.active_thread_percentage}", *limits]


def _notes(process: Running) -> Notes:
    return {"pid": str(process.pid), "started": process.started}


def _gpu(device: MpsDevice) -> str:
    return device.hardware.uuid if isinstance(device.hardware, FullGpu) else device.hardware.gpu


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _half_of_memory() -> str:
    """As with NVIDIA's driver."""
    try:
        line = next(line for line in _MEMORY.read_text().splitlines() if line.startswith("MemTotal:"))
        return f"{int(line.split()[1]) // 2}k"
    except (OSError, StopIteration, ValueError, IndexError):
        return _LEAST_SIZE
