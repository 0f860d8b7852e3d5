"""Whatever NVML, the bus and the policy say, the pool is one that Kubernetes takes and that is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.common.messages import PoolObserved
from slicewire.common.model import Device, NodeName, PoolName, wire
from slicewire.common.model.naming import NVIDIA_DRIVER, gpu_name, vfio_name
from slicewire.common.nvml.facts import GpuFacts, NodeFacts, Unseen
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import new_node
from slicewire.discovery import sysfs
from slicewire.discovery.command import shown
from slicewire.discovery.core.inventory import Inventory
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.core.policy import Choice, DeviceType, Partitions
from tests.kubeapi.kinds import SLICES
from tests.kubeapi.releases import Release
from tests.kubeapi.validation import problems_of_new
from tests.unit.discovery.builders import a_mig, an_instance, names_of, seen

NATS_PAYLOAD = 1024 * 1024
EVERYTHING = Choice(offer=tuple(DeviceType), partitions=Partitions.DYNAMIC, shares=4)

_TEXT = st.text(max_size=80)
_BUS = st.one_of(_TEXT, st.from_regex(r"0000(0000)?:[0-9A-F]{2}:00\.0", fullmatch=True))
_MIGS = st.sampled_from(
    [
        None,
        a_mig(),
        a_mig(enabled=True),
        a_mig(an_instance(1, "MIG-a"), an_instance(2, number=2), enabled=True),
    ]
)
_GPUS = st.builds(
    GpuFacts,
    minor=st.integers(-1, 5),
    uuid=_TEXT,
    pci_bus_id=_BUS,
    product_name=_TEXT,
    brand=_TEXT,
    architecture=_TEXT | st.just("Ampere"),
    cuda_compute_capability=_TEXT,
    memory_bytes=st.none() | st.integers(-1, 2**64),
    addressing_mode=st.none() | _TEXT,
    mig=_MIGS,
    power_limit_milliwatts=st.none() | st.integers(0, 2**64),
)
_NODES = st.builds(
    NodeFacts,
    driver_version=_TEXT,
    cuda_driver_version=_TEXT,
    gpus=st.lists(_GPUS, max_size=6).map(tuple),
    unseen=st.lists(st.builds(Unseen, _TEXT, _TEXT, _BUS), max_size=2).map(tuple),
)
_PLACES = st.lists(st.builds(PciGpu, _BUS, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT), max_size=4).map(tuple)
_CHOICES = st.builds(
    Choice,
    offer=st.lists(st.sampled_from(DeviceType), unique=True).map(tuple),
    partitions=st.sampled_from(Partitions),
    shares=st.sampled_from(("disabled", "unlimited", "memory", 3)),
)


@settings(max_examples=50)
@given(_NODES, _PLACES, _CHOICES)
def test_what_is_offered_kubernetes_would_take(
    node: NodeFacts, places: tuple[PciGpu, ...], choice: Choice
) -> None:
    found = seen(node, *places, choice=choice)
    assert _objections(found) == ()
    sets = {one.name: one.counters for one in found.shared_counters}
    assert len(sets) == len(found.shared_counters)
    for device in found.devices:
        assert wire.decode(wire.encode(device), Device) == device
        for taken in device.consumes_counters:
            assert all(sets[taken.counter_set][name].value >= c.value for name, c in taken.counters.items())


@settings(max_examples=50)
@given(_NODES, _PLACES, _CHOICES)
def test_every_gpu_is_either_offered_or_spoken_of(
    node: NodeFacts, places: tuple[PciGpu, ...], choice: Choice
) -> None:
    found = seen(node, *places, choice=choice)
    said = {word for one in found.unseen for word in one.what.split()} | set(names_of(found))
    named = {one.uuid: {gpu_name(one.gpu or 0), vfio_name(one.vfio)} for one in found.names.known}
    for gpu in node.gpus:
        assert said & ({f"gpu-{gpu.minor}"} | named.get(gpu.uuid, set()))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_largest_pool_is_within_all_limits(tmp_path: Path, model: str) -> None:
    state = new_node("node-a", model, 16)
    if state.model.startswith("a100"):  # can be cut on demand only so
        for gpu in state.gpus:
            state = state.with_mig(gpu.minor, enabled=True)
    nvml = SimulatedNvml(tmp_path / "state.json", state)
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    found = seen(facts, *sysfs.gpus_on_the_bus(nvml.sysfs_root), choice=EVERYTHING, node="node-a")
    size = len(wire.encode(found.devices)) + len(wire.encode(found.shared_counters))
    assert size < NATS_PAYLOAD * 2 // 3
    assert found.devices
    assert _objections(found) == ()


def test_a_static_partition_of_a_whole_gpu_has_room_for_all_that_is_told_of_it(tmp_path: Path) -> None:
    nvml = SimulatedNvml(tmp_path / "state.json", new_node("node-a", "gb200", 1))
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    uuid = facts.gpus[0].uuid
    nvml.set_mig_mode(uuid, enabled=True)
    made = nvml.create_gpu_instance(uuid, 0, 0)
    assert made.whole is not None
    nvml.create_compute_instance(uuid, made.id, made.whole.id)
    cut = nvml.look()
    assert isinstance(cut, NodeFacts)
    found = seen(cut, *sysfs.gpus_on_the_bus(nvml.sysfs_root), choice=Choice(shares=2))
    assert len(found.devices) == 1
    assert _objections(found) == ()


def _objections(found: Inventory) -> tuple[object, ...]:
    """Of a server of Kubernetes to the slices that this would become."""
    pool = PoolObserved(
        node=NodeName("node-a"),
        driver=NVIDIA_DRIVER,
        pool=PoolName("node-a"),
        generation=1,
        devices=found.devices,
        shared_counters=found.shared_counters,
    )
    slices = json.loads(shown(pool, "resourceslices"))["items"]
    return tuple(one for each in slices for one in problems_of_new(SLICES, each, Release()))
