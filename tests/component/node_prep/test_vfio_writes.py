"""What is written to the kernel when a GPU changes hands: in which order, and whatever happens in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.executors import Patience
from slicewire.node_prep.pcibus import PciBus
from tests.component.node_prep.machines import Machines, WatchedNvml
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_claim

pytestmark = pytest.mark.slow

PLACE = "0000:1a:00.0"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Workbench]:
    made = Workbench(tmp_path / "node", gpus=1)
    with closing(made.nvml):
        yield made


@pytest.fixture
def machines(node: Workbench) -> Machines:
    made = Machines(node)
    made.serve()
    return made


class HeardBus(PciBus):
    """A PCI bus that says what is about to be written, and what has been."""

    def __init__(self, root: Path, hear: Callable[[str], object]) -> None:
        super().__init__(root)
        self._hear = hear

    def reserve(self, place: str, driver: str) -> PrepareRefusal | None:
        self._hear(f"reserve for {driver or 'any'}")
        done = super().reserve(place, driver)
        self._hear(f"reserved for {driver or 'any'}")
        return done

    def bind(self, place: str, driver: str) -> PrepareRefusal | None:
        self._hear(f"bind to {driver}")
        done = super().bind(place, driver)
        self._hear(f"bound to {driver}")
        return done

    def unbind(self, place: str, seconds: float, meanwhile: Callable[[], None]) -> PrepareRefusal | None:
        self._hear(f"unbind from {self.driver(place)}")
        done = super().unbind(place, seconds, meanwhile)
        self._hear("unbound")
        return done


def heard(machines: Machines, hear: Callable[[str], object]) -> PciBus:
    return HeardBus(machines.nvml.sysfs_root, hear)


async def test_the_driver_is_changed_in_an_order_in_which_no_other_comes_first(machines: Machines) -> None:
    writes: list[str] = []
    machines.serve(bus=heard(machines, writes.append))
    await machines.node.prepared(machines.device())
    assert writes == [
        "reserve for vfio-pci",
        "reserved for vfio-pci",
        "unbind from nvidia",
        "unbound",
        "bind to vfio-pci",
        "bound to vfio-pci",
    ]
    writes.clear()
    await machines.node.removed()
    assert [write for write in writes if not write.startswith("reserve ")] == [
        "unbind from vfio-pci",
        "unbound",
        "reserved for any",
        "reserved for any",
        "bind to nvidia",
        "bound to nvidia",
    ]


async def test_nvml_has_no_gpu_open_when_a_driver_is_taken_off(machines: Machines) -> None:
    nvml = machines.nvml = WatchedNvml(machines.nvml)
    was_open: list[tuple[str, bool]] = []
    bus = heard(machines, lambda write: was_open.append((write, nvml.is_open)))
    machines.serve(bus=bus)
    await machines.node.prepared(machines.device())
    await machines.node.removed()
    assert [one for one in was_open if one[0].startswith("unbind")] == [
        ("unbind from nvidia", False),
        ("unbind from vfio-pci", False),
    ]


async def test_who_hears_that_the_gpu_is_reserved_has_time_to_let_go_of_it(machines: Machines) -> None:
    opened = machines.opens("/dev/nvidia0", name="slicewire-disco")
    uevent = machines.file("uevent")
    uevent.touch()

    def hear(write: str) -> None:
        if write == "reserved for vfio-pci" and uevent.read_text() == "change\n":
            opened.unlink()

    machines.serve(bus=heard(machines, hear))
    await machines.node.prepared(machines.device())
    assert machines.has() == "vfio-pci"


async def test_a_kernel_that_does_not_take_the_driver_off_in_time_is_not_waited_for(
    machines: Machines,
) -> None:
    machines.change(persistence=False)
    driver = machines.sys / "slow/nvidia"
    driver.mkdir(parents=True)
    os.mkfifo(driver / "unbind")
    link = machines.file("driver")
    link.unlink()
    link.symlink_to(driver)
    machines.serve(Patience(free_seconds=0, unbind_seconds=0.05, pause_seconds=0.001))
    assert await machines.node.prepare(machines.device()) == PrepareRefusal(
        Why.BUSY, f"the kernel is still taking a driver off {PLACE}"
    )
    assert machines.node.state_of() is State.UNDOING
    refusal = await machines.node.preparation.remove(a_claim().uid)
    assert refusal == PrepareRefusal(Why.BUSY, f"the kernel is still taking nvidia off {PLACE}")
    assert (driver / "unbind").read_text() == f"{PLACE}\n"  # now it does
    machines.change(kernel_driver="")
    link.unlink(missing_ok=True)
    await machines.node.removed()
    assert machines.has() == "nvidia"


@pytest.mark.parametrize("asked", [pytest.param("prepare", marks=pytest.mark.slow), "unprepare"])
async def test_killed_between_any_two_writes_it_comes_back_clean(
    machines: Machines, tmp_path: Path, asked: str
) -> None:
    """The disk of a simulated node is all there is of it: a copy is what a killed process leaves."""
    left: list[Path] = []

    def copied(write: str) -> None:
        copy = tmp_path / f"{len(left)} {write}"
        left.append(Path(shutil.copytree(machines.node.folder, copy, symlinks=True)))

    machines.serve(bus=heard(machines, copied))
    device = machines.device()
    await machines.node.prepared(device)
    await machines.node.removed()
    assert len(left) == 14
    for folder in left:
        after = Workbench(folder, gpus=1)
        with closing(after.nvml):
            after.nvml.look()  # a kernel has done what was written to it, whoever was killed then
            await after.killed_and_started()
            if asked == "prepare":
                await after.prepared(device)
                assert after.state.read().gpu(0).kernel_driver == "vfio-pci", folder
            await after.removed()
            there = Machines(after)
            assert there.untouched(), folder
