"""What a node tells is what NVIDIA's driver publishes of the same machine, whatever it offers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from slicewire.common.model import Device, NodeName
from slicewire.common.model.naming import NVIDIA_DRIVER, MigName, parsed
from slicewire.common.model.slicing import cut_into_slices
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.discovery import sysfs
from slicewire.discovery.core.inventory import Inventory, Look, inventory
from slicewire.discovery.core.policy import Choice, NodePolicy, Partitions
from slicewire.discovery.looking import Looker
from tests.unit.discovery import golden

DYNAMIC = Choice(partitions=Partitions.DYNAMIC)
NODES = [
    ("h100-default-sysfs", "h100", Choice()),
    ("a100-default-sysfs", "a100-40gb", Choice()),
    ("h100-static-mig", "h100", Choice()),
    ("h100-dynmig", "h100", DYNAMIC),
    ("h100-consumable-4", "h100", Choice(shares=4)),
    ("h100-consumable-memory", "h100", Choice(shares="memory")),
]
each_node = pytest.mark.parametrize(("name", "model", "choice"), NODES, ids=[name for name, *_ in NODES])


def _node(folder: Path, model: str, node: str = "node-a") -> SimulatedNvml:
    return SimulatedNvml(folder / "state.json", new_node(node, model, 8))


def _seen(nvml: SimulatedNvml, choice: Choice, reference: tuple[Device, ...] = ()) -> Inventory:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    if reference:
        gpus = tuple(golden.as_in(reference, gpu) for gpu in facts.gpus)
        facts = msgspec.structs.replace(facts, gpus=gpus)
    look = Look(facts=facts, on_the_bus=sysfs.gpus_on_the_bus(nvml.sysfs_root))
    return inventory(look, NodePolicy(default=choice))


def _cut_as_in(reference: tuple[Device, ...], nvml: SimulatedNvml) -> None:
    """Make the partitions that somebody made on the reference node before the driver looked."""
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    uuids = {gpu.minor: gpu.uuid for gpu in facts.gpus}
    for device in reference:
        name = parsed(device.name)
        if isinstance(name, MigName) and "uuid" in device.attributes:
            gpu = uuids[name.number]
            nvml.set_mig_mode(gpu, enabled=True)
            made = nvml.create_gpu_instance(gpu, name.profile_id, name.start)
            assert made.whole is not None
            nvml.create_compute_instance(gpu, made.id, made.whole.id)


@each_node
def test_devices_and_counters_are_those_of_nvidias_driver(
    tmp_path: Path, name: str, model: str, choice: Choice
) -> None:
    slices = golden.slices(name)
    reference = tuple(device for one in slices for device in one.spec.devices)
    found = _seen(_node(tmp_path, model), choice, reference)
    ours = {device.name: golden.as_nvidia_has_it(device) for device in found.devices}
    assert ours == {device.name: device for device in reference}
    assert found.shared_counters == tuple(one for s in slices for one in s.spec.shared_counters)


@each_node
def test_a_simulated_node_differs_from_the_reference_in_amounts_and_uuids_only(
    tmp_path: Path, name: str, model: str, choice: Choice
) -> None:
    slices = golden.slices(name)
    reference = tuple(device for one in slices for device in one.spec.devices)
    nvml = _node(tmp_path, model)
    _cut_as_in(reference, nvml)
    ours = {device.name: golden.without_amounts(device) for device in _seen(nvml, choice).devices}
    assert ours == {device.name: golden.without_amounts(device) for device in reference}


def test_partitions_are_cut_into_slices_as_nvidias_driver_cuts_them(tmp_path: Path) -> None:
    slices = golden.slices("h100-dynmig")
    found = _seen(_node(tmp_path, "h100"), DYNAMIC)
    cut = cut_into_slices(found.devices, found.shared_counters)
    ours = [([d.name for d in one.devices], [c.name for c in one.shared_counters]) for one in cut]
    theirs = [
        ([d.name for d in one.spec.devices], [c.name for c in one.spec.shared_counters]) for one in slices
    ]
    assert ours == theirs


def test_a_simulated_h100_is_published_whole(tmp_path: Path) -> None:
    nvml = _node(tmp_path, "h100")
    pool = Looker(nvml, NodeName("node-a"), NVIDIA_DRIVER, nvml.sysfs_root).look()
    device = pool.devices[4]
    plain = msgspec.to_builtins(golden.as_nvidia_has_it(device).attributes)
    assert {name: next(iter(value.values())) for name, value in plain.items()} == {
        "type": "gpu",
        "uuid": device.attributes["uuid"].string,
        "productName": "NVIDIA H100 80GB HBM3",
        "brand": "Nvidia",
        "architecture": "Hopper",
        "cudaComputeCapability": "9.0.0",
        "driverVersion": "550.163.1",
        "cudaDriverVersion": "12.4.0",
        "resource.kubernetes.io/pciBusID": "0000:8a:00.0",
        "resource.kubernetes.io/pcieRoot": "pci0000:80",
        "resource.kubernetes.io/numaNode": 1,
    }
    assert (device.name, device.capacity["memory"].value.text) == ("gpu-4", "81559Mi")
    assert (pool.pool, pool.unreadable) == ("node-a", ())
