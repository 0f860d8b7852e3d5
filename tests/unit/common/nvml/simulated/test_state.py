"""What can become of a simulated node."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.nvml.facts import ComputeMode, EventKind, TimeSlice
from slicewire.common.nvml.simulated.cutting import with_compute_instance, with_gpu_instance
from slicewire.common.nvml.simulated.state import BadState, NodeState, new_node


def a_node(gpus: int = 4, model: str = "h100", node: str = "node-a") -> NodeState:
    return new_node(node, model, gpus)


def _minors(node: NodeState) -> list[int]:
    return [gpu.minor for gpu in node.gpus]


def test_a_node_has_the_same_gpus_whenever_it_is_made_and_another_node_has_others() -> None:
    assert a_node() == a_node()
    ours, theirs = ({gpu.uuid for gpu in a_node(node=name).gpus} for name in ("node-a", "node-b"))
    assert not ours & theirs


def test_the_first_eight_sit_as_in_an_8_gpu_server() -> None:
    seats = [(gpu.pci_bus_id, gpu.pcie_root, gpu.numa_node) for gpu in a_node(8).gpus]
    assert seats[0] == ("0000:1a:00.0", "pci0000:00", 0)
    assert seats[1] == ("0000:1b:00.0", "pci0000:00", 0)
    assert seats[7] == ("0000:cb:00.0", "pci0000:80", 1)


def test_sixteen_gpus_share_no_seat() -> None:
    assert len({gpu.pci_bus_id for gpu in a_node(16).gpus}) == 16


@pytest.mark.parametrize(
    ("model", "gpus", "words"),
    [("h900", 1, "h900"), ("h100", 17, "17"), ("h100", -1, "-1")],
)
def test_a_node_that_cannot_be_simulated_is_refused_by_name(model: str, gpus: int, words: str) -> None:
    with pytest.raises(BadState, match=words):
        a_node(gpus, model)


def test_a_gpu_that_was_taken_out_comes_back_as_itself() -> None:
    node = a_node()
    without = node.without_gpu(2)
    assert _minors(without) == [0, 1, 3]
    assert without.with_gpu(2) == node


def test_a_fault_is_this_gpus_alone_and_can_be_healed() -> None:
    node = a_node()
    ill = node.with_fault(1, "GPU is lost")
    assert [gpu.fault for gpu in ill.gpus] == ["", "GPU is lost", "", ""]
    assert ill.with_fault(1, "") == node


def test_the_newest_xids_are_kept_and_numbered_on() -> None:
    node = a_node()
    for code in range(70):
        node = node.with_xid(0, code)
    assert len(node.xids) == 64
    assert node.xids[-1].number == 70


@pytest.mark.parametrize("change", ["without_gpu", "with_fault", "with_xid"])
def test_a_gpu_that_is_not_there_cannot_be_changed(change: str) -> None:
    arguments = {"without_gpu": (9,), "with_fault": (9, "lost"), "with_xid": (9, 79)}[change]
    with pytest.raises(BadState, match="no GPU 9; there are 0, 1, 2, 3"):
        getattr(a_node(), change)(*arguments)


def test_two_gpus_cannot_have_one_seat() -> None:
    with pytest.raises(BadState, match="has a GPU 1 already"):
        a_node().with_gpu(1)


def test_a_file_of_an_earlier_version_is_read_with_what_it_lacks_as_usual() -> None:
    earlier = b"""{"node": "node-a", "model": "h100", "gpus": [{"minor": 0, "uuid": "GPU-0", "model": "h100",
        "pciBusID": "0000:1a:00.0", "pcieRoot": "pci0000:00", "numaNode": 0, "migEnabled": true}],
        "xids": [{"number": 1, "gpu": "GPU-0", "code": 79}]}"""
    state = msgspec.json.decode(earlier, type=NodeState)
    gpu = state.gpus[0]
    assert (gpu.mig_enabled, gpu.instances, gpu.kernel_driver) == (True, (), "nvidia")
    assert (gpu.compute_mode, gpu.time_slice) == (ComputeMode.DEFAULT, TimeSlice.DEFAULT)
    assert state.xids[0].kind is EventKind.XID


def test_a_node_that_was_cut_is_the_same_after_it_was_written_and_read() -> None:
    node = new_node("node-a", "h100", 1)
    cut, instance = with_gpu_instance(msgspec.structs.replace(node.gpus[0], mig_enabled=True), 9, 4)
    cut, _ = with_compute_instance(cut, instance.id, 2)
    whole = node.with_gpu_as(cut).with_event(0, EventKind.MEMORY_ERROR)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=NodeState) == whole


def test_a_new_models_driver_is_new_enough_for_it() -> None:
    assert new_node("node-a", "h100", 1).driver_version == "550.163.01"
    assert new_node("node-a", "b200", 1).driver_version == "580.126.20"
