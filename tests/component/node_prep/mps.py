"""A node with MPS: what its daemons are told and answer, and what troubles them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from slicewire.common.model import ClaimUID, DeviceAllocationConfiguration
from slicewire.common.nvml.simulated.mpscontrol import TROUBLE
from slicewire.node_prep import files, mounts
from slicewire.node_prep.core.hardware import FullGpu
from slicewire.node_prep.core.steps import MpsDevice, StartMps
from slicewire.node_prep.mpscontrol import Daemon, program_of
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.processes import Running, has_ended, with_variable
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_config


def shared(kind: str = "GpuConfig", **mps: object) -> tuple[DeviceAllocationConfiguration, ...]:
    return (a_config(kind, sharing={"strategy": "MPS", "mpsConfig": mps}),)


def trouble(driver_root: Path, **troubles: object) -> None:
    file = driver_root / TROUBLE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(troubles))


def folders(root: Path) -> tuple[Path, ...]:
    return tuple(root / name for name in files.names(root))


def running(root: Path) -> list[tuple[Running, dict[str, str]]]:
    """The daemons of this node, and their environments."""
    return [
        (process, dict(environment))
        for process, environment in with_variable("CUDA_MPS_PIPE_DIRECTORY")
        if environment["CUDA_MPS_PIPE_DIRECTORY"].startswith(f"{root}/")
        if "CUDA_VISIBLE_DEVICES" in environment  # who only asks has none
    ]


def asked(root: Path, driver_root: Path, *commands: str) -> list[str]:
    [folder] = folders(root)
    return Daemon(folder, program_of(driver_root)).ask(*commands).splitlines()


def killed(process: Running | None) -> None:
    """kill -9, and until it has ended."""
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert has_ended(process, 5.0)


def by_another_hand(folder: Path, driver_root: Path, *gpus: str) -> Running:
    """A daemon in this folder that no journal knows."""
    for name in ("pipe", "log", "shm"):
        (folder / name).mkdir(parents=True)
    daemon = Daemon(folder, program_of(driver_root))
    devices = tuple(MpsDevice(hardware=FullGpu(uuid=gpu)) for gpu in gpus)
    process = daemon.start(StartMps(devices=devices), gpus, None)
    daemon.await_ready(process, 10.0)
    return process


def the_daemon(preparation: Preparation, uid: str = "claim-1") -> Running | None:
    """As the journal knows it; None while it does not."""
    entry = preparation.checkpoint.entries[ClaimUID(uid)]
    [notes] = [progress.notes for step, progress in entry.steps() if isinstance(step, StartMps)]
    return Running(int(notes["pid"]), notes["started"]) if notes else None


@contextmanager
def pretending(environment: Mapping[str, str]) -> Iterator[None]:
    """A process of somebody else's with this environment."""
    with subprocess.Popen(["/bin/sleep", "60"], env=environment) as pretender:
        try:
            yield
        finally:
            pretender.kill()


@contextmanager
def cleared(root: Path) -> Iterator[None]:
    """Whatever a test leaves behind is ended after it."""
    try:
        yield
    finally:
        for process, _ in running(root):
            subprocess.run(["kill", "-9", str(process.pid)], check=False)
            has_ended(process, 5.0)
        for folder in folders(root):
            mounts.unmount(folder / "shm")


@contextmanager
def bench(folder: Path, **more: object) -> Iterator[Workbench]:
    node = Workbench(folder, **more)  # type: ignore[arg-type]
    with closing(node.nvml), cleared(node.mps.root):
        yield node
