"""Killed while the kernel is taking a driver off a GPU: the write goes on without us, and is found again."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.executors import Patience
from slicewire.node_prep.pcibus import UNDER_WAY, PciBus
from slicewire.node_prep.processes import Running, has_ended, with_variable
from tests.component.node_prep.machines import Machines
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_claim

pytestmark = pytest.mark.slow

PLACE = "0000:1a:00.0"
_LIFE_SECONDS = 20.0
HASTY = Patience(free_seconds=0, unbind_seconds=0.05, pause_seconds=0.001)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Workbench(tmp_path / "node", gpus=1)
    with closing(made.nvml):
        machines = Machines(made)
        machines.change(persistence=False)
        yield machines
        let_go(machines)


def slow_kernel(machines: Machines, name: str = "nvidia") -> Path:
    """Whose driver does not let go: the write to the file that is returned waits for somebody who reads."""
    driver = machines.sys / "slow" / name
    driver.mkdir(parents=True)
    os.mkfifo(driver / "unbind")
    link = machines.file("driver")
    link.unlink()
    link.symlink_to(driver)
    return driver / "unbind"


def let_go(machines: Machines) -> None:
    """Whoever waits in this test is ended."""
    for process in writers(machines):
        os.kill(process.pid, signal.SIGKILL)
        assert has_ended(process, 5.0)


def writers(machines: Machines) -> list[Running]:
    """Who waits for the kernel, and for which GPU of this node."""
    ours = str(machines.sys / "bus/pci/devices" / PLACE)
    return [process for process, environment in with_variable(UNDER_WAY) if environment[UNDER_WAY] == ours]


def _prepares(folder: Path) -> None:
    """A life of node-prep that waits for the kernel, for minutes."""
    node = Workbench(folder, gpus=1)
    machines = Machines(node)
    slow_kernel(machines)
    machines.serve(Patience(free_seconds=0, unbind_seconds=600, pause_seconds=0.001))
    asyncio.run(node.prepared(machines.device()))


def _removes(folder: Path) -> None:
    node = Workbench(folder, gpus=1)
    machines = Machines(node)
    machines.serve()
    asyncio.run(node.prepared(machines.device()))
    slow_kernel(machines, "vfio-pci")
    machines.serve(Patience(free_seconds=0, unbind_seconds=600, pause_seconds=0.001))
    asyncio.run(_resumed_and_removed(node))


async def _resumed_and_removed(node: Workbench) -> None:
    await node.preparation.resume()
    await node.removed()


async def killed_while_it_waits(machines: Machines, life: object) -> None:
    process = multiprocessing.get_context("spawn").Process(target=life, args=(machines.node.folder,))  # type: ignore[arg-type]
    process.start()
    async with asyncio.timeout(_LIFE_SECONDS):
        while not (machines.sys / "slow").exists() or not writers(machines):
            await asyncio.to_thread(process.join, 0.02)
            assert process.is_alive()
    process.kill()
    process.join()


async def resumed(machines: Machines) -> None:
    machines.serve(HASTY)
    await machines.node.preparation.resume()


async def the_kernel_is_done(machines: Machines, unbind: Path) -> None:
    [writer] = writers(machines)
    assert unbind.read_text() == f"{PLACE}\n"
    assert await asyncio.to_thread(has_ended, writer, 5.0)
    machines.file("driver").unlink(missing_ok=True)
    machines.change(kernel_driver="")


async def test_the_next_process_waits_for_the_write_and_gives_the_gpu_back(machines: Machines) -> None:
    await killed_while_it_waits(machines, _prepares)
    await resumed(machines)
    assert machines.node.state_of() is State.UNDOING
    refusal = await machines.node.preparation.remove(a_claim().uid)
    assert refusal == PrepareRefusal(Why.BUSY, f"the kernel is still taking nvidia off {PLACE}")
    await the_kernel_is_done(machines, machines.sys / "slow/nvidia/unbind")
    await machines.node.removed()
    assert (machines.has(), machines.override()) == ("nvidia", "")
    assert machines.node.state_of() is State.ABSENT


async def test_a_link_that_the_kernel_took_away_before_it_is_done_deceives_nobody(machines: Machines) -> None:
    """`driver` is gone before the driver has let go (drivers/base/dd.c); all else of it waits until then."""
    await killed_while_it_waits(machines, _prepares)
    machines.file("driver").unlink()
    override = machines.override()
    await resumed(machines)
    refusal = await machines.node.preparation.remove(a_claim().uid)
    assert refusal == PrepareRefusal(Why.BUSY, f"the kernel is still taking nvidia off {PLACE}")
    assert machines.override() == override, "nothing was written meanwhile"


async def test_another_claim_of_the_gpu_is_refused_meanwhile(machines: Machines) -> None:
    await killed_while_it_waits(machines, _prepares)
    device = machines.device()
    await resumed(machines)
    refusal = await machines.node.prepare(device, uid="claim-2")
    assert refusal is not None
    assert refusal.why is Why.HELD_BY_ANOTHER


async def test_nothing_is_bound_before_the_kernel_is_done(machines: Machines) -> None:
    device, bus = machines.device(), PciBus(machines.nvml.sysfs_root)
    slow_kernel(machines)
    machines.serve(HASTY, bus)
    refusal = await machines.node.prepare(device)
    assert refusal == PrepareRefusal(Why.BUSY, f"the kernel is still taking a driver off {PLACE}")
    assert machines.node.state_of() is State.UNDOING
    let_go(machines)
    assert not bus.is_unbinding(PLACE)


async def test_killed_while_vfio_lets_go_the_next_process_waits_for_that(machines: Machines) -> None:
    await killed_while_it_waits(machines, _removes)
    machines.file("driver").unlink()
    await resumed(machines)
    refusal = await machines.node.preparation.remove(a_claim().uid)
    assert refusal == PrepareRefusal(Why.BUSY, f"the kernel is still taking a driver off {PLACE}")
    await the_kernel_is_done(machines, machines.sys / "slow/vfio-pci/unbind")
    await machines.node.removed()
    assert (machines.has(), machines.override()) == ("nvidia", "")


async def test_a_write_that_another_process_began_is_waited_for_and_not_made_twice(
    machines: Machines,
) -> None:
    await killed_while_it_waits(machines, _prepares)
    bus = PciBus(machines.nvml.sysfs_root)
    refused = await asyncio.to_thread(bus.unbind, PLACE, 0.05, lambda: None)
    assert refused is not None
    assert refused.why is Why.BUSY
    assert len(writers(machines)) == 1
