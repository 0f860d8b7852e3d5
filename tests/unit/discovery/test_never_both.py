"""Of what one GPU is offered as, only what it can be at once is ever given."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from slicewire.common.model import Device
from slicewire.common.model.naming import MigName, parsed
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.discovery import sysfs
from slicewire.discovery.core.inventory import Inventory
from slicewire.discovery.core.policy import Choice, DeviceType, Partitions
from tests.unit.discovery.builders import GPU, VFIO, a_gpu, a_node, a_place, seen, the

EVERYTHING = Choice(offer=tuple(DeviceType), partitions=Partitions.DYNAMIC)


def _fit(found: Inventory, *devices: Device) -> bool:
    """By the rule of Kubernetes: no counter is drawn below zero."""
    left: Counter[tuple[str, str]] = Counter()
    for one in found.shared_counters:
        left.update({(one.name, name): int(each.value.value) for name, each in one.counters.items()})
    for taken in (taken for device in devices for taken in device.consumes_counters):
        drawn = {(taken.counter_set, name): int(each.value.value) for name, each in taken.counters.items()}
        left.subtract(drawn)
    return min(left.values()) >= 0


def _slices(device: Device) -> set[str]:
    """Memory slices that it takes."""
    (taken,) = device.consumes_counters
    return {name for name in taken.counters if name.startswith("memory-slice-")}


def test_a_gpu_is_given_to_a_container_or_to_a_virtual_machine() -> None:
    found = seen(a_node(a_gpu(0), a_gpu(1)), a_place(), a_place("1b"), choice=Choice(offer=(GPU, VFIO)))
    whole, machine, other = the(found, "gpu-0"), the(found, "gpu-vfio-0"), the(found, "gpu-vfio-1")
    assert _fit(found, whole)
    assert _fit(found, machine)
    assert not _fit(found, whole, machine)
    assert _fit(found, whole, other)


@pytest.mark.parametrize("model", ["h100", "b200", "a100-80gb"])
def test_no_partition_is_given_beside_the_whole_or_another_in_its_place(tmp_path: Path, model: str) -> None:
    state = new_node("node-a", model, 1)
    state = state.with_mig(0, enabled=model.startswith("a100"))
    nvml = SimulatedNvml(tmp_path / "state.json", state)
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    found = seen(facts, *sysfs.gpus_on_the_bus(nvml.sysfs_root), choice=EVERYTHING)
    parts = [device for device in found.devices if isinstance(parsed(device.name), MigName)]
    wholes = [device for device in found.devices if device not in parts]
    assert all(_fit(found, device) for device in found.devices)
    assert not any(_fit(found, whole, part) for whole in wholes for part in parts)
    together = [(one, other) for one, other in combinations(parts, 2) if _fit(found, one, other)]
    assert together
    assert not any(_slices(one) & _slices(other) for one, other in together)


def test_all_small_partitions_fit_together(tmp_path: Path) -> None:
    nvml = SimulatedNvml(tmp_path / "state.json", new_node("node-a", "h100", 1))
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    found = seen(facts, choice=EVERYTHING)
    small = [device for device in found.devices if "-mig-1g10gb-19-" in device.name]
    assert len(small) == 7
    assert _fit(found, *small)
