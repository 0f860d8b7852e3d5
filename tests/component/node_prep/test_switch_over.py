"""A node on which NVIDIA's driver has prepared claims: taken over as they are, while containers run."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.nvml.facts import ComputeMode
from slicewire.node_prep import files
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import Notes, WriteCdiFile
from slicewire.node_prep.executors import Executors
from slicewire.node_prep.leftovers import ABANDONED_AFTER_SECONDS
from tests.component.node_prep import nvidias
from tests.component.node_prep.machines import Machines
from tests.component.node_prep.mps import by_another_hand as a_daemon_of_ours
from tests.component.node_prep.mps import running
from tests.component.node_prep.test_leftovers import UID, Clock, Told, clock, hearing, looked_for
from tests.component.node_prep.workbench import SMALL, Workbench
from tests.kubelet import runtime
from tests.unit.node_prep.builders import a_claim, a_config

__all__ = ["clock", "hearing"]

pytestmark = pytest.mark.slow

PART = "gpu-0-mig-1g10gb-19-3"


def resolved(node: Workbench, device: str) -> runtime.Container:
    """What the runtime makes of the id that the kubelet has had since NVIDIA's driver answered."""
    return runtime.container((f"k8s.gpu.nvidia.com/claim={UID}-{device}",), node.cdi_root)


def the_partition(node: Workbench) -> str:
    mig = node.gpu().mig
    assert mig is not None
    [instance] = mig.instances
    return instance.compute_instances[0].uuid


async def test_a_gpu_is_taken_over_and_its_device_stands_in_one_file(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    theirs = nvidias.cdi_file(node.cdi_root, UID, "gpu-0")
    hearing.say(node.whole(), held=True)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert (theirs.exists(), node.state_of()) == (False, State.COMPLETED)
    assert "/dev/nvidia0" in resolved(node, "gpu-0").device_nodes
    await node.removed()
    assert node.nothing_is_left()


async def test_a_partition_that_it_made_is_the_claims_still_and_goes_with_it(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    nvidias.cdi_file(node.cdi_root, UID, PART)
    made = the_partition(node)
    hearing.say(node.part(3), held=True)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert (node.state_of(), the_partition(node)) == (State.COMPLETED, made)
    await node.removed()
    assert node.nothing_is_left()


async def test_a_gpu_that_a_machine_has_is_given_back_to_nvidia_after_it(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    machines = Machines(node)
    machines.change(kernel_driver="vfio-pci")
    nvidias.cdi_file(node.cdi_root, UID, "gpu-vfio-4", nodes=("/dev/vfio/0",))
    hearing.say(machines.device(), held=True)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert (node.state_of(), machines.has()) == (State.COMPLETED, "vfio-pci")
    await node.removed()
    assert machines.has() == "nvidia"


async def test_a_claim_that_the_ledger_does_not_have_yet_is_left_alone_and_not_for_ever(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    theirs = nvidias.cdi_file(node.cdi_root, UID, PART)
    hearing.say(node.part(3), held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
        clock.now = ABANDONED_AFTER_SECONDS - 1
        assert await leftovers.removed()
        assert (theirs.exists(), node.instances()) == (True, [(SMALL, 3, 1)])
        clock.now = ABANDONED_AFTER_SECONDS
        assert await leftovers.removed()
    assert not theirs.exists()
    assert node.nothing_is_left()


async def test_before_the_ledger_was_heard_nothing_of_it_is_touched(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    theirs = nvidias.cdi_file(node.cdi_root, UID, "gpu-0")
    async with looked_for(node, hearing, clock) as leftovers:
        clock.now = ABANDONED_AFTER_SECONDS
        assert await leftovers.removed()
    assert theirs.exists()


async def test_what_the_kubelet_unprepares_is_removed_at_once(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    nvidias.cdi_file(node.cdi_root, UID, PART)
    hearing.say(node.part(3), held=True)  # the ledger hears of the end later
    async with looked_for(node, hearing, clock) as leftovers:
        node.preparation.disinherit(UID)  # as `NodePrep.unprepare` does
        assert await leftovers.removed()
    assert node.nothing_is_left()


class RefusesOnce:
    """Writes no CDI file the first time."""

    def __init__(self, refusal: PrepareRefusal) -> None:
        self._refusals = [refusal]

    def ready(self, step: WriteCdiFile, plan: PreparePlan) -> Notes | None:
        return None

    def do(self, step: WriteCdiFile, plan: PreparePlan) -> Notes | PrepareRefusal:
        return self._refusals.pop() if self._refusals else {}

    def undo(self, step: WriteCdiFile, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        return None

    def found(self, step: WriteCdiFile, plan: PreparePlan, notes: Notes) -> bool:
        return True


async def test_what_cannot_be_taken_over_now_is_left_as_it_was_and_tried_again(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    theirs = nvidias.cdi_file(node.cdi_root, UID, PART)
    made = the_partition(node)
    hearing.say(node.part(3), held=True)
    refuses: Executors = {WriteCdiFile: RefusesOnce(PrepareRefusal(Why.DRIVER, "the driver is absent"))}
    async with looked_for(node, hearing, clock, refuses) as leftovers:
        assert not await leftovers.removed()
        assert (node.state_of(), theirs.exists(), the_partition(node)) == (State.ABSENT, True, made)
        assert await leftovers.removed()
    assert (node.state_of(), the_partition(node)) == (State.COMPLETED, made)


async def test_its_checkpoint_is_set_aside_and_said_and_its_claims_are_known_by_it(
    node: Workbench, hearing: Told, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that was only begun has no CDI file."""
    node.by_another_hand(start=3)
    data = nvidias.checkpoint(node.boot, claim_1=nvidias.begun(PART))
    write(node.checkpoint, data)
    hearing.say(node.part(3), held=True)
    async with looked_for(node, hearing, clock):
        pass  # killed before the ledger was heard: the next process knows it still
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert node.state_of() is State.COMPLETED
    assert node.checkpoint.with_name("checkpoint.json.nvidia-1").read_bytes() == data
    assert "checkpoint of NVIDIA's driver set aside" in caplog.text
    assert "cannot be read" not in caplog.text
    await node.removed()
    assert node.instances() == []


async def test_devices_that_no_cdi_file_names_are_known_from_the_checkpoint(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    write(node.checkpoint, nvidias.checkpoint(node.boot, claim_1=nvidias.completed(UID, "mig", PART)))
    hearing.say(node.part(3), held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        node.preparation.disinherit(UID)
        assert await leftovers.removed()
    assert node.instances() == []


async def test_what_it_wrote_before_a_reboot_is_no_claims_any_more(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    write(node.checkpoint, nvidias.checkpoint("another boot", claim_1=nvidias.begun(PART)))
    hearing.say(node.part(3), held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert node.preparation.strays == frozenset()
        clock.now = ABANDONED_AFTER_SECONDS
        assert await leftovers.removed()
    assert node.instances() == [(SMALL, 3, 1)]


async def test_a_claim_whose_mps_daemon_it_runs_is_left_to_it_and_what_to_do_is_said(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    theirs = nvidias.cdi_file(node.cdi_root, UID, "gpu-0")
    pipe = node.mps.root / f"{UID}-5fa1c" / "pipe"
    pipe.mkdir(parents=True)
    node.nvml.set_compute_mode(node.gpu().uuid, ComputeMode.EXCLUSIVE_PROCESS)
    config = a_config(sharing={"strategy": "MPS"})
    hearing.say(node.whole(), held=True, config=(config,))
    async with looked_for(node, hearing, clock) as leftovers:
        assert not await leftovers.removed()
        refusal = await node.prepare(node.whole(), config=(config,))
    assert refusal == PrepareRefusal(
        Why.BUSY,
        f"claim {a_claim()}: NVIDIA's driver has prepared it and runs its MPS control daemon (Deployment"
        f" mps-control-daemon-{UID}-5fa1c): end the pods of the claim, delete that Deployment and"
        f" {node.mps.root / f'{UID}-5fa1c'}",
    )
    assert theirs.exists()
    assert node.gpu().compute_mode is ComputeMode.EXCLUSIVE_PROCESS


async def test_folders_of_its_daemons_are_not_ours_to_remove(node: Workbench) -> None:
    pipe = node.mps.root / "3f0e4c1a-1c2b-4a5d-9e8f-aa00bb11cc22-5fa1c" / "pipe"
    pipe.mkdir(parents=True)
    ours = node.mps.root / "0123456789abcdef"
    a_daemon_of_ours(ours, node.nvml.driver_root, node.gpu(1).uuid)
    await node.killed_and_started()
    await node.preparation.end_orphans()
    assert (pipe.is_dir(), ours.exists(), running(node.mps.root)) == (True, False, [])


def write(path: Path, data: bytes) -> None:
    files.write(path, data, 0o600)
