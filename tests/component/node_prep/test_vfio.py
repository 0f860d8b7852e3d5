"""A GPU for a virtual machine: taken from the NVIDIA driver, bound to VFIO, and given back."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from slicewire.common.nvml.simulated.faults import LOST
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.component.node_prep.machines import PATIENT, WORKING, Machines, WatchedNvml, idle, iommu
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_claim

pytestmark = pytest.mark.slow

PLACE = "0000:1a:00.0"


@pytest.fixture
def machines(node: Workbench) -> Machines:
    made = Machines(node)
    made.serve()
    return made


def nodes(machines: Machines) -> set[str]:
    """That a container of the claim gets."""
    [file] = machines.node.cdi_root.iterdir()
    [device] = json.loads(file.read_bytes())["devices"]
    return {node["path"] for node in device["containerEdits"]["deviceNodes"]}


async def refused(machines: Machines) -> PrepareRefusal:
    refusal = await machines.node.prepare(machines.device())
    assert refusal is not None
    return refusal


async def test_it_is_taken_from_nvidia_bound_to_vfio_and_given_back(machines: Machines) -> None:
    await machines.node.prepared(machines.device())
    gpu = machines.gpu()
    assert (gpu.kernel_driver, gpu.persistence, machines.override()) == ("vfio-pci", False, "vfio-pci")
    assert machines.has(1) == "nvidia"
    await machines.node.removed()
    assert machines.untouched()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"/dev/vfio/0"}),
        ({"backendPolicy": "LegacyOnly", "enableAPIDevice": True}, {"/dev/vfio/0", "/dev/vfio/vfio"}),
        ({"backendPolicy": "PreferIommuFD"}, {"/dev/vfio/devices/vfio0"}),
        (
            {"backendPolicy": "PreferIommuFD", "enableAPIDevice": True},
            {"/dev/vfio/devices/vfio0", "/dev/iommu"},
        ),
    ],
)
async def test_the_pod_gets_the_nodes_of_the_backend_it_asks_for(
    machines: Machines, given: dict[str, object], expected: set[str]
) -> None:
    await machines.node.prepared(machines.device(), config=iommu(**given))
    assert nodes(machines) == expected


@pytest.mark.parametrize("driver", ["vfio-pci", ""])
async def test_one_that_vfio_or_nobody_had_before_is_left_as_it_was(machines: Machines, driver: str) -> None:
    machines.change(kernel_driver=driver)
    await machines.node.prepared(machines.device())
    assert machines.has() == "vfio-pci"
    await machines.node.removed()
    assert machines.has() == driver


async def test_one_that_another_driver_has_is_refused(machines: Machines) -> None:
    machines.change(kernel_driver="nouveau")
    assert await refused(machines) == PrepareRefusal(
        Why.BUSY, f"kernel driver nouveau has {PLACE}: only nvidia is asked to let go of a GPU"
    )
    assert machines.has() == "nouveau"


async def test_without_an_iommu_it_is_refused_and_what_to_do(machines: Machines) -> None:
    machines.file("iommu_group").unlink()
    refusal = await refused(machines)
    assert refusal.why is Why.DRIVER
    assert refusal.reason.startswith(f"{PLACE} is in no IOMMU group: turn the IOMMU on")
    assert machines.untouched()


async def test_a_module_that_cannot_be_loaded_is_said_and_nothing_is_changed(machines: Machines) -> None:
    machines.change(persistence=False)  # a change would make the simulated kernel load it again
    shutil.rmtree(machines.sys / "module/vfio_pci")
    assert await refused(machines) == PrepareRefusal(Why.DRIVER, "no module vfio_pci")
    assert machines.asked_to_load == ["vfio_pci"]
    assert (machines.has(), machines.override()) == ("nvidia", "")


async def test_a_gpu_cut_into_virtual_functions_is_refused(machines: Machines) -> None:
    machines.file("sriov_numvfs").write_text("4\n")
    assert (await refused(machines)).reason == (
        f"4 virtual functions are cut out of {PLACE} (SR-IOV): write 0 to its sriov_numvfs first"
    )


async def test_a_gpu_cut_into_partitions_is_refused(machines: Machines) -> None:
    machines.node.by_another_hand(start=0)
    refusal = await refused(machines)
    assert refusal.why is Why.BUSY
    assert "is cut into 1 GPU instances" in refusal.reason


async def test_a_gpu_that_fell_off_the_bus_is_refused(machines: Machines) -> None:
    machines.change(fault=LOST)
    assert (await refused(machines)).reason == (
        f"nvidia has {PLACE} and NVML does not see it: it may be in use"
    )


async def test_a_gpu_that_is_gone_is_refused(machines: Machines) -> None:
    device = machines.device()
    machines.node.state.change(lambda state: state.without_gpu(0))
    machines.node.nvml.look()
    assert await machines.node.prepare(device) == PrepareRefusal(
        Why.DRIVER, f"there is no PCI device {PLACE} now"
    )


async def test_companions_that_other_drivers_have_are_named(machines: Machines) -> None:
    machines.companion("0000:1a:00.1", "snd_hda_intel")
    machines.companion("0000:1a:00.2", "xhci_hcd", "0x0c0330")
    assert await refused(machines) == PrepareRefusal(
        Why.BUSY,
        f"IOMMU group 0 of {PLACE} can only be handed over whole, and other drivers have devices of it:"
        " 0000:1a:00.1 (snd_hda_intel), 0000:1a:00.2 (xhci_hcd); bind them to vfio-pci, or to no driver",
    )
    assert machines.untouched()


async def test_bridges_and_what_nobody_has_or_vfio_has_may_stay_in_the_group(machines: Machines) -> None:
    machines.companion("0000:19:00.0", "pcieport", "0x060400")
    machines.companion("0000:1a:00.1", "")
    machines.companion("0000:1a:00.2", "vfio-pci")
    await machines.node.prepared(machines.device())


async def test_gpus_of_one_group_are_handed_over_to_one_claim_together(machines: Machines) -> None:
    other = machines.gpu(1).pci_bus_id
    machines.companion(other, "nvidia", "0x030200")
    assert f"{other} (nvidia)" in (await refused(machines)).reason
    await machines.node.prepared(machines.device(0), machines.device(1))
    assert (machines.has(0), machines.has(1)) == ("vfio-pci", "vfio-pci")


async def test_a_gpu_in_use_is_refused_after_a_while_and_who_uses_it(machines: Machines) -> None:
    machines.change(processes=WORKING)
    assert await refused(machines) == PrepareRefusal(
        Why.BUSY, f"{PLACE} is in use, 0 s long now, by process 1234 (unknown)"
    )
    assert machines.untouched()


async def test_a_gpu_in_use_is_waited_for_and_nobody_else_waits(machines: Machines) -> None:
    machines.change(processes=WORKING)
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    machines.nvml = WatchedNvml(machines.nvml, lambda: loop.call_soon_threadsafe(asked.set))
    machines.serve(PATIENT)
    waiting = asyncio.create_task(machines.node.prepare(machines.device()))
    await asked.wait()
    await machines.node.prepared(machines.device(1), uid="claim-2")
    assert (waiting.done(), machines.has()) == (False, "nvidia")
    idle(machines.node)
    assert await waiting is None
    assert machines.has() == "vfio-pci"


async def test_who_has_its_file_open_and_computes_nothing_uses_it_too(machines: Machines) -> None:
    machines.opens("/dev/nvidia0")
    machines.opens("/dev/nvidia1", 4712)
    refusal = await refused(machines)
    assert refusal.reason == f"{PLACE} is in use, 0 s long now, by process 4711 (dcgm)"
    assert machines.untouched()


async def test_a_machine_that_still_has_it_is_waited_for(machines: Machines) -> None:
    await machines.node.prepared(machines.device())
    opened = machines.opens("/dev/vfio/0", name="qemu")
    refusal = await machines.node.preparation.remove(a_claim().uid)
    assert refusal == PrepareRefusal(Why.BUSY, f"{PLACE} is in use, 0 s long now, by process 4711 (qemu)")
    assert (machines.node.state_of(), machines.has()) == (State.UNDOING, "vfio-pci")
    opened.unlink()
    await machines.node.removed()
    assert machines.untouched()


async def test_after_a_reboot_it_is_bound_again(machines: Machines) -> None:
    await machines.node.prepared(machines.device())
    preparation = await machines.node.rebooted()
    assert machines.has() == "nvidia"
    assert await preparation.restore(a_claim().uid) is None
    assert machines.has() == "vfio-pci"
    await machines.node.removed()
    assert machines.untouched()


async def test_bound_back_by_another_hand_it_is_taken_again_when_the_claim_is_asked_for(
    machines: Machines,
) -> None:
    await machines.node.prepared(machines.device())
    machines.change(kernel_driver="nvidia", persistence=True)
    assert await machines.node.preparation.restore(a_claim().uid) is None
    assert machines.has() == "vfio-pci"


async def test_administrative_access_takes_it_from_nobody(machines: Machines) -> None:
    refusal = await machines.node.prepare(machines.device(), admin_access=True)
    assert refusal is not None
    assert refusal.reason.endswith("/dev/vfio/0 is missing")
    assert machines.untouched()
    await machines.node.prepared(machines.device())
    await machines.node.prepared(machines.device(), uid="claim-2", admin_access=True)
    await machines.node.removed("claim-2")
    assert machines.has() == "vfio-pci"


async def test_its_sibling_cannot_be_had_too(machines: Machines) -> None:
    whole = machines.whole()
    await machines.node.prepared(machines.device())
    refusal = await machines.node.prepare(whole, uid="claim-2")
    assert refusal == PrepareRefusal(
        Why.HELD_BY_ANOTHER,
        "requested device gpu-0 is of the same GPU as gpu-vfio-4,"
        " which is already allocated to different claim claim-1",
    )
