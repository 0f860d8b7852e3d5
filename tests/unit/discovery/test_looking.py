"""Look after look at one simulated node, while it and its policy change."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from slicewire.common.messages import PoolObserved
from slicewire.common.model import NodeName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import NodeState, new_node
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.discovery.looking import Looker
from slicewire.discovery.namesfile import NamesFile
from slicewire.discovery.policyfile import PolicyFile

HEADER = "apiVersion: slicewire.dev/v1alpha1\nkind: NodePolicy\n"


class Node:
    """Two H100 with a policy file and a names file."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state.json"
        self.nvml = SimulatedNvml(self.state, new_node("node-a", "h100", 2))
        self.policy = folder / "policy.yaml"
        self.offer("{offer: [gpu, vfio]}")
        self.names = folder / "names.json"
        self.looker = self.started()

    def started(self) -> Looker:
        files = PolicyFile(self.policy), NamesFile(self.names)
        return Looker(self.nvml, NodeName("node-a"), NVIDIA_DRIVER, self.nvml.sysfs_root, *files)

    def offer(self, choice: str) -> None:
        self.policy.write_text(f"{HEADER}default: {choice}\n")

    def bind(self, bus_id: str, *, old: str, new: str) -> None:
        """As somebody who writes to sysfs."""
        drivers = self.nvml.sysfs_root / "sys/bus/pci/drivers"
        (drivers / old / "unbind").write_text(bus_id)
        (drivers / new / "bind").write_text(bus_id)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def _names(pool: PoolObserved) -> list[str]:
    return [device.name for device in pool.devices]


def _uuids(pool: PoolObserved) -> dict[str, str | None]:
    return {device.name: device.attributes["uuid"].string for device in pool.devices}


def test_a_gpu_bound_to_a_virtual_machine_and_back_is_the_same_again(node: Node) -> None:
    before = node.looker.look()
    assert _names(before) == ["gpu-0", "gpu-vfio-0", "gpu-1", "gpu-vfio-1"]
    node.bind("0000:1b:00.0", old="nvidia", new="vfio-pci")
    during = node.looker.look()
    assert _names(during) == ["gpu-0", "gpu-vfio-0", "gpu-vfio-1"]
    assert (during.unreadable, during.shared_counters) == ((), before.shared_counters)
    node.bind("0000:1b:00.0", old="vfio-pci", new="nvidia")
    assert node.looker.look() == before


def test_a_restart_while_a_virtual_machine_has_a_gpu_knows_it_by_its_name(node: Node) -> None:
    node.looker.look()
    node.bind("0000:1a:00.0", old="nvidia", new="vfio-pci")
    during = node.started().look()
    assert _names(during) == ["gpu-vfio-0", "gpu-1", "gpu-vfio-1"]
    assert [one.name for one in during.shared_counters] == ["gpu-0-counter-set", "gpu-1-counter-set"]


def test_names_stay_with_the_gpus_when_the_driver_numbers_them_otherwise(node: Node) -> None:
    node.offer("{}")
    before = _uuids(node.looker.look())

    def turned(state: NodeState) -> NodeState:
        first, second = state.gpus
        swapped = msgspec.structs.replace(second, minor=0), msgspec.structs.replace(first, minor=1)
        return msgspec.structs.replace(state, gpus=swapped)

    StateFile(node.state).change(turned)
    assert _uuids(node.started().look()) == before


def test_another_policy_is_in_force_at_the_next_look(node: Node) -> None:
    node.looker.look()
    node.offer("{shares: 2}")
    assert {device.allow_multiple_allocations for device in node.looker.look().devices} == {True}
    node.offer("{shares: -2}")
    spoilt = node.looker.look()
    assert _names(spoilt) == ["gpu-0", "gpu-1"]
    (said,) = spoilt.unreadable
    assert "default.shares: -2 is not" in said.reason


def test_a_partition_that_is_made_is_told_as_made(node: Node) -> None:
    node.offer("{partitions: dynamic}")

    def created() -> list[str]:
        devices = node.looker.look().devices
        made = [(d.name, d.attributes.get("slicewire.dev/created")) for d in devices]
        return [name for name, value in made if value and value.bool_value]

    assert created() == []
    facts = node.nvml.look()
    assert isinstance(facts, NodeFacts)
    gpu = facts.gpus[0].uuid
    node.nvml.set_mig_mode(gpu, enabled=True)
    instance = node.nvml.create_gpu_instance(gpu, 19, 3)
    assert created() == []
    assert instance.whole is not None
    node.nvml.create_compute_instance(gpu, instance.id, instance.whole.id)
    assert created() == ["gpu-0-mig-1g10gb-19-3"]
