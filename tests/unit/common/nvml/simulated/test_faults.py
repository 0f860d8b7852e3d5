"""What befalls a simulated GPU is seen through NVML as it would be on a real one."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.nvml.condition import RecoveryAction, SlowedBy
from slicewire.common.nvml.facts import EventKind, GpuFacts, NodeFacts, NvmlAbsent
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.common.nvml.simulated.cutting import with_gpu_instance, with_mig_mode
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.seeing import seen
from slicewire.common.nvml.simulated.state import BadState, NodeState, new_node


@pytest.fixture
def node() -> NodeState:
    return new_node("node-a", "h100", 2)


def _facts(node: NodeState) -> NodeFacts:
    facts = seen(node)
    assert isinstance(facts, NodeFacts)
    return facts


def _gpu(node: NodeState) -> GpuFacts:
    return _facts(node).gpus[1]


def test_an_xid_is_reported_and_the_driver_says_what_to_do(node: NodeState) -> None:
    after = befallen(node, 1, "xid=79")
    assert [(xid.gpu, xid.code) for xid in after.xids] == [(node.gpus[1].uuid, 79)]
    assert _gpu(after).condition.recovery_action is RecoveryAction.RESET


def test_an_xid_of_an_application_asks_for_nothing(node: NodeState) -> None:
    assert _gpu(befallen(node, 1, "xid=31")).condition == _gpu(node).condition


def test_a_lost_gpu_is_told_apart_by_its_code(node: NodeState) -> None:
    facts = _facts(befallen(node, 1, "lost"))
    assert [(one.code, one.pci_bus_id) for one in facts.unseen] == [(NvmlCode.LOST, "00000000:1B:00.0")]
    assert [gpu.minor for gpu in facts.gpus] == [0]


def test_a_memory_error_is_counted_reported_and_waits_for_a_reset(node: NodeState) -> None:
    after = befallen(befallen(node, 1, "ecc"), 1, "ecc")
    condition = _gpu(after).condition
    assert condition.ecc is not None
    assert condition.remapped_rows is not None
    assert condition.ecc.volatile_uncorrected == 2
    assert condition.remapped_rows.pending
    assert [(event.kind, event.code) for event in after.xids[:2]] == [
        (EventKind.MEMORY_ERROR, 0),
        (EventKind.XID, 48),
    ]


def test_a_hot_gpu_is_slowed_down(node: NodeState) -> None:
    condition = _gpu(befallen(node, 1, "thermal")).condition
    assert condition.temperature_celsius is not None
    assert condition.slowdown_celsius is not None
    assert condition.temperature_celsius > condition.slowdown_celsius
    assert condition.slowed_by == (SlowedBy.HARDWARE_THERMAL,)


@pytest.mark.parametrize("fault", ["lost", "ecc", "thermal", "remap", "remap-failed", "xid=79"])
def test_what_recovers_is_as_it_was(node: NodeState, fault: str) -> None:
    assert _facts(befallen(befallen(node, 1, fault), 1, "recover")) == _facts(node)


def test_a_reset_makes_true_what_was_noted_and_leaves_no_instance(node: NodeState) -> None:
    ampere = new_node("node-a", "a100-80gb", 1)
    noted = ampere.with_gpu_as(with_mig_mode(ampere.gpus[0], enabled=True))
    on = befallen(noted, 0, "reset")
    assert _facts(on).gpus[0].mig_enabled
    cut, _ = with_gpu_instance(on.gpus[0], 9, 0)
    mig = _facts(befallen(on.with_gpu_as(cut), 0, "reset")).gpus[0].mig
    assert mig is not None
    assert mig.instances == ()
    rows = _gpu(befallen(befallen(node, 1, "remap"), 1, "reset")).condition.remapped_rows
    assert rows is not None
    assert (rows.uncorrectable, rows.pending) == (1, False)


def test_a_gpu_is_taken_out_and_put_in_again(node: NodeState) -> None:
    without = befallen(node, 0, "remove")
    assert [gpu.minor for gpu in _facts(without).gpus] == [1]
    assert _facts(befallen(without, 0, "add")) == _facts(node)


def test_the_driver_goes_and_comes_for_the_whole_node(node: NodeState) -> None:
    away = befallen(node, 0, "driver-away")
    assert seen(away) == NvmlAbsent("Driver Not Loaded")
    assert _facts(befallen(away, 0, "driver-back")) == _facts(node)


@pytest.mark.parametrize("fault", ["", "LOST", "xid", "xid=", "xid=-1", "xid=123456", "recovered"])
def test_an_unknown_fault_is_refused_with_the_known_ones(node: NodeState, fault: str) -> None:
    with pytest.raises(BadState, match=r"there are xid=<number>, lost, ecc"):
        befallen(node, 0, fault)


@pytest.mark.parametrize("fault", ["xid=79", "lost", "recover", "reset", "driver-away", "driver-back"])
def test_a_gpu_that_is_not_there_is_refused(node: NodeState, fault: str) -> None:
    with pytest.raises(BadState, match="node node-a has no GPU 5; there are 0, 1"):
        befallen(node, 5, fault)


def test_a_gpu_without_spare_rows_has_none_to_remap() -> None:
    turing = new_node("node-a", "t4", 1)
    with pytest.raises(BadState, match="Tesla T4 has no spare rows"):
        befallen(turing, 0, "remap")
    hurt = _facts(befallen(turing, 0, "ecc")).gpus[0].condition
    assert hurt.remapped_rows is None
    assert hurt.retired_pages is not None


def test_a_gpu_of_another_driver_is_not_seen(node: NodeState) -> None:
    given = node.with_gpu_as(msgspec.structs.replace(node.gpus[0], kernel_driver="vfio-pci"))
    assert [gpu.minor for gpu in _facts(given).gpus] == [1]
