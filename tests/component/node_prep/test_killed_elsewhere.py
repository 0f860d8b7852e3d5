"""Killed (kill -9) where a life without a refusal does not come: while a preparation is given up, while a GPU
waits for a reset, while a checkpoint is set aside, while a kernel module is loaded."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    CreateGpuInstance,
    Notes,
    StartMps,
    TurnMigModeOn,
)
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import Executors, executors, handover_of
from slicewire.node_prep.processes import Running, has_ended, with_variable
from tests.component.node_prep.machines import Machines
from tests.component.node_prep.mps import bench, folders, running, shared
from tests.component.node_prep.workbench import Workbench
from tests.faults.doom import MOMENTS, Doom, DoomedExecutor

pytestmark = pytest.mark.slow

_SECONDS = 30.0
Life = Callable[[Path, int | None], None]


class Refuses:
    """A step that cannot be done; there is nothing of it to take back."""

    def ready(self, step: object, plan: PreparePlan) -> Notes | None:
        return None

    def do(self, step: object, plan: PreparePlan) -> PrepareRefusal:
        return PrepareRefusal(Why.BUSY, "no more compute instances")

    def undo(self, step: object, plan: PreparePlan, notes: Notes) -> None:
        return None

    def found(self, step: object, plan: PreparePlan, notes: Notes) -> bool:
        return False


def gives_up_a_partition(folder: Path, at: int | None) -> None:
    """The compute instance cannot be made; dies while the GPU instance and the mode are taken back."""
    node, doom = Workbench(folder), Doom(folder, at)
    with closing(node.nvml):
        table = executors(node.nvml, DriverRoot(node.nvml), node.cdi_root, node.mps)
        undone: Executors = {
            kind: DoomedExecutor(table[kind], doom) for kind in (TurnMigModeOn, CreateGpuInstance)
        }
        node.preparation = node.another({**undone, CreateComputeInstance: Refuses()})
        doom.listen()
        assert asyncio.run(node.prepare(node.part(0))) is not None


def gives_up_mps(folder: Path, at: int | None) -> None:
    """The daemon does not start; dies while directories and mode are taken back."""
    node, doom = Workbench(folder), Doom(folder, at)
    with closing(node.nvml):
        node.preparation = node.another({StartMps: Refuses()})
        doom.listen()
        assert asyncio.run(node.prepare(node.whole(), config=shared())) is not None


def asks_a_gpu_that_needs_a_reset(folder: Path, at: int | None) -> None:
    node, doom = Workbench(folder, model="a100-80gb"), Doom(folder, at)
    with closing(node.nvml):
        part = node.part(0)
        doom.listen()
        assert asyncio.run(node.prepare(part)) is not None


def finds_a_checkpoint_that_cannot_be_read(folder: Path, at: int | None) -> None:
    node, doom = Workbench(folder), Doom(folder, at)
    with closing(node.nvml):
        doom.listen()
        asyncio.run(resumed_and_prepared(node))


async def resumed_and_prepared(node: Workbench) -> None:
    await node.preparation.resume()
    await node.prepared(node.whole(1), uid="claim-2")


async def died_at_each_moment(folder: Path, life: Life, start: Callable[[Path], None]) -> list[Path]:
    """What each of the killed processes left, one for every moment of a life that is not killed."""
    lives = multiprocessing.get_context("forkserver")
    lives.set_forkserver_preload(["tests.faults.doom"])

    async def lived(name: str, at: int | None) -> tuple[Path, int | None]:
        start(folder / name)
        process = lives.Process(target=life, args=(folder / name, at))
        process.start()
        await asyncio.to_thread(process.join, _SECONDS)
        return folder / name, process.exitcode

    whole, status = await lived("whole", None)
    assert status == 0
    count = len((whole / MOMENTS).read_text().splitlines())
    assert count
    left = []
    for at in range(count):
        killed, status = await lived(f"killed-{at}", at)
        assert status == -signal.SIGKILL, (at, status)
        left.append(killed)
    return left


def nothing(folder: Path) -> None:
    folder.mkdir()


async def test_while_a_partition_is_given_up(tmp_path: Path) -> None:
    for left in await died_at_each_moment(tmp_path, gives_up_a_partition, nothing):
        node = Workbench(left)
        with closing(node.nvml):
            await node.killed_and_started()
            assert node.nothing_is_left(), left
            await node.prepared(node.part(0))


async def test_while_mps_is_given_up(tmp_path: Path) -> None:
    for left in await died_at_each_moment(tmp_path, gives_up_mps, nothing):
        with bench(left) as node:
            await node.killed_and_started()
            assert node.nothing_is_left(), left
            assert (folders(node.mps.root), running(node.mps.root)) == ((), []), left


async def test_while_a_gpu_waits_for_a_reset(tmp_path: Path) -> None:
    for left in await died_at_each_moment(tmp_path, asks_a_gpu_that_needs_a_reset, nothing):
        node = Workbench(left, model="a100-80gb")
        with closing(node.nvml):
            await node.killed_and_started()
            assert node.state.read().gpu(0).mig_pending is None, left
            assert node.nothing_is_left(), left


def _damaged(folder: Path) -> None:
    """A claim was prepared, and the checkpoint cannot be read."""
    folder.mkdir()
    node = Workbench(folder)
    with closing(node.nvml):
        node.cdi_root.mkdir()
        (node.cdi_root / "k8s.gpu.nvidia.com-claim_claim-1.json").write_text("{}")
        node.checkpoint.parent.mkdir()
        node.checkpoint.write_bytes(b'{"version":2,"claims":{"claim-1":{"state":"Prep')


async def test_while_a_checkpoint_is_set_aside(tmp_path: Path) -> None:
    for left in await died_at_each_moment(tmp_path, finds_a_checkpoint_that_cannot_be_read, _damaged):
        node = Workbench(left)
        with closing(node.nvml):
            await node.killed_and_started()
            assert node.preparation.strays == {"claim-1"}, left
            aside = sorted(path.name for path in node.checkpoint.parent.glob("*.corrupt-*"))
            assert aside == ["checkpoint.json.corrupt-1"], left


LOADS = "SLICEWIRE_TEST_LOADS_A_MODULE"


def loads_a_module(folder: Path, at: int | None) -> None:
    """`modprobe` does not come back."""
    node = Workbench(folder)
    with closing(node.nvml):
        machines = Machines(node)
        machines.change(persistence=False)  # a change would make the simulated kernel load it again
        (machines.sys / "module/vfio_pci").rmdir()
        os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
        os.environ[LOADS] = str(folder)
        machines.nvml.look()
        handover = handover_of(machines.nvml, Path("/"))
        table = executors(node.nvml, DriverRoot(node.nvml), node.cdi_root, vfio=handover)
        node.preparation = node.another(table)
        asyncio.run(node.prepare(machines.device()))


async def test_while_modprobe_runs(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    program = folder / "bin" / "modprobe"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    process = multiprocessing.get_context("spawn").Process(target=loads_a_module, args=(folder, None))
    process.start()
    loading: list[Running] = []
    async with asyncio.timeout(_SECONDS):
        while not loading:
            await asyncio.to_thread(process.join, 0.05)
            assert process.is_alive()
            loading = [
                one
                for one, environment in with_variable(LOADS)
                if environment[LOADS] == str(folder) and one.pid != process.pid
            ]
    process.kill()
    process.join()
    node = Workbench(folder)
    with closing(node.nvml):
        machines = Machines(node)
        machines.serve()
        await node.preparation.resume()
        assert machines.has() == "nvidia"
        assert (machines.override(), dict(node.preparation.checkpoint.entries)) == ("", {})
        for one in loading:
            os.kill(one.pid, signal.SIGKILL)
            assert has_ended(one, 5.0)
        machines.change(persistence=True)
        await node.prepared(machines.device())
        assert machines.has() == "vfio-pci"
