"""Partitions are made and removed with their claims, and what others made is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import Process
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.node_prep import files
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.component.node_prep.workbench import SMALL, Workbench
from tests.kubelet import runtime
from tests.unit.node_prep.builders import a_claim

pytestmark = pytest.mark.slow


@pytest.fixture
def ampere(tmp_path: Path) -> Iterator[Workbench]:
    """GPUs that change their MIG mode by a reset only."""
    made = Workbench(tmp_path, model="a100-40gb")
    with closing(made.nvml):
        yield made


def refused(outcome: PrepareRefusal | None) -> PrepareRefusal:
    assert outcome is not None, "it was prepared"
    return outcome


async def test_a_partition_is_made_where_the_device_says_and_is_gone_with_its_claim(node: Workbench) -> None:
    await node.prepared(node.part(3))
    assert node.gpu().mig_enabled
    assert node.instances() == [(SMALL, 3, 1)]
    await node.removed()
    assert node.nothing_is_left()


async def test_the_container_gets_the_partition_and_its_gpu(node: Workbench) -> None:
    await node.prepared(node.part(3))
    ids = (f"k8s.gpu.nvidia.com/claim=claim-1-{node.part(3).name}",)
    nodes = runtime.container(ids, node.cdi_root).device_nodes
    assert "/dev/nvidia0" in nodes
    assert len([path for path in nodes if path.startswith("/dev/nvidia-caps/")]) == 2


async def test_the_mode_stays_while_anything_is_cut_out_of_the_gpu(node: Workbench) -> None:
    await node.prepared(node.part(0))
    await node.prepared(node.part(1), uid="claim-2")
    await node.removed()
    assert node.gpu().mig_enabled
    assert node.instances() == [(SMALL, 1, 1)]
    await node.removed("claim-2")
    assert node.nothing_is_left()


async def test_a_mode_that_was_on_before_stays_on(node: Workbench) -> None:
    node.nvml.set_mig_mode(node.gpu().uuid, enabled=True)
    await node.prepared(node.part(0))
    await node.removed()
    assert node.instances() == []
    assert node.gpu().mig_enabled


async def test_a_place_that_another_has_is_refused_and_left_alone(node: Workbench) -> None:
    theirs = node.by_another_hand(start=3)
    refusal = refused(await node.prepare(node.part(3)))
    assert refusal.why is Why.BUSY
    assert f"GPU instance {theirs.id} (MIG-" in refusal.reason
    assert refusal.reason.endswith("is not this claim's: it is left alone")
    assert node.instances() == [(SMALL, 3, 1)]
    assert node.state_of() is State.ABSENT


async def test_what_another_makes_beside_ours_stays_when_ours_goes(node: Workbench) -> None:
    await node.prepared(node.part(0))
    node.by_another_hand(start=3)
    await node.removed()
    assert node.instances() == [(SMALL, 3, 1)]
    assert node.gpu().mig_enabled


async def test_an_instance_that_replaced_ours_is_another_s(node: Workbench) -> None:
    """Ours was destroyed by hand, and somebody has made one of the same shape there, with other ids."""
    await node.prepared(node.part(0))
    await node.prepared(node.part(1), uid="claim-2")
    gpu = node.gpu()
    assert gpu.mig is not None
    for instance in gpu.mig.instances:
        node.nvml.destroy_compute_instance(gpu.uuid, instance.id, 0)
        node.nvml.destroy_gpu_instance(gpu.uuid, instance.id)
    node.by_another_hand(start=1)
    await node.removed("claim-2")
    assert node.instances() == [(SMALL, 1, 1)]


async def test_a_partition_in_use_is_kept_in_the_journal_and_removed_later(node: Workbench) -> None:
    await node.prepared(node.part(0))
    mig = node.gpu().mig
    assert mig is not None
    user = Process(pid=7, gpu_instance=mig.instances[0].id, compute_instance=0)
    node.state.change(lambda state: state.with_changed(0, processes=(user,)))
    refusal = refused(await node.preparation.remove(a_claim().uid))
    assert refusal.why is Why.BUSY
    assert "in use by 1 process: a process works with it; it is tried again" in refusal.reason
    assert node.state_of() is State.UNDOING
    await node.killed_and_started()
    assert node.state_of() is State.UNDOING
    node.state.change(lambda state: state.with_changed(0, processes=()))
    await node.killed_and_started()
    assert node.nothing_is_left()


async def test_a_gpu_that_needs_a_reset_for_it_is_refused_and_no_reset_waits(ampere: Workbench) -> None:
    refusal = refused(await ampere.prepare(ampere.part(0)))
    assert refusal.why is Why.DRIVER
    assert "changes it only by a reset, which an administrator must do" in refusal.reason
    mig = ampere.gpu().mig
    assert mig is not None
    assert not mig.pending
    assert ampere.nothing_is_left()


async def test_such_a_gpu_in_mig_mode_is_cut_and_stays_in_it(ampere: Workbench) -> None:
    ampere.state.change(lambda state: state.with_mig(0, enabled=True))
    await ampere.prepared(ampere.part(0))
    await ampere.removed()
    assert ampere.instances() == []
    assert ampere.gpu().mig_enabled


async def test_a_gpu_that_cannot_be_cut_says_so(tmp_path: Path) -> None:
    node = Workbench(tmp_path, model="t4")
    with closing(node.nvml):
        refusal = refused(await node.prepare(node.part(0)))
    assert refusal.why is Why.UNSUPPORTED
    assert refusal.reason.endswith("cannot be cut")


async def test_a_profile_that_the_gpu_does_not_have_is_refused(node: Workbench) -> None:
    refusal = refused(await node.prepare(node.part(0, profile=77)))
    assert "has no GPU instance profile 77" in refusal.reason
    assert node.nothing_is_left()


async def test_a_partition_that_exists_is_used_as_it_is_and_stays(node: Workbench) -> None:
    node.by_another_hand(start=3)
    mig = node.gpu().mig
    assert mig is not None
    uuid = mig.instances[0].compute_instances[0].uuid
    await node.prepared(node.part(3, uuid=uuid))
    await node.removed()
    assert node.instances() == [(SMALL, 3, 1)]
    refusal = refused(await node.prepare(node.part(3, uuid="MIG-another")))
    assert refusal.reason == f"find MIG-another of {node.gpu().uuid}: it is not there now"


async def test_a_gpu_cut_by_others_cannot_be_had_whole(node: Workbench) -> None:
    node.by_another_hand(start=3)
    refusal = refused(await node.prepare(node.whole()))
    assert refusal.why is Why.BUSY
    assert "is cut into 1 GPU instances (MIG-" in refusal.reason
    assert node.instances() == [(SMALL, 3, 1)]


async def test_a_gpu_left_in_mig_mode_is_put_together_to_be_had_whole(node: Workbench) -> None:
    node.nvml.set_mig_mode(node.gpu().uuid, enabled=True)
    await node.prepared(node.whole())
    assert not node.gpu().mig_enabled


async def test_a_reboot_takes_partitions_and_they_are_made_again(node: Workbench) -> None:
    await node.prepared(node.part(3))
    before = node.cdi_root / files.names(node.cdi_root)[0]
    written = before.read_bytes()
    preparation = await node.rebooted()
    assert await preparation.restore(a_claim().uid) is None
    assert node.instances() == [(SMALL, 3, 1)]
    assert before.read_bytes() == written
    await node.removed()
    assert node.nothing_is_left()


async def test_what_stands_there_after_a_reboot_is_not_taken_for_ours(node: Workbench) -> None:
    """An administrator's service makes its partitions on each boot, and may be before us."""
    await node.prepared(node.part(3))
    await node.rebooted()
    node.by_another_hand(start=3)
    assert refused(await node.preparation.restore(a_claim().uid)).why is Why.BUSY
    await node.removed()
    assert node.instances() == [(SMALL, 3, 1)]


async def test_a_lost_gpu_holds_up_no_claim_that_is_over(node: Workbench) -> None:
    await node.prepared(node.part(3))
    node.state.change(lambda state: befallen(state, 0, "lost"))
    await node.removed()
    assert node.state_of() is State.ABSENT


async def test_a_partition_shared_by_claims_goes_with_the_last_of_them(node: Workbench) -> None:
    await node.prepared(node.part(3), share_id="one")
    await node.prepared(node.part(3), uid="claim-2", share_id="two")
    await node.removed()
    assert node.instances() == [(SMALL, 3, 1)]
    await node.killed_and_started()
    await node.removed("claim-2")
    assert node.nothing_is_left()
