"""From what was seen to what is offered: everything that can be, and a reason for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import Device, wire
from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.partitions import Mig
from slicewire.discovery.core.inventory import Inventory, inventory
from slicewire.discovery.core.pci import PciGpu
from tests.unit.discovery.builders import a_gpu, a_node, a_place


def _names(found: Inventory) -> list[str]:
    return [device.name for device in found.devices]


def test_devices_are_named_by_minor_and_ordered_by_bus() -> None:
    node = a_node(
        a_gpu(10, pci_bus_id="00000000:1A:00.0"),
        a_gpu(2, pci_bus_id="00000000:4A:00.0"),
        a_gpu(0, pci_bus_id="00000000:1B:00.0"),
    )
    assert _names(inventory(node, ())) == ["gpu-10", "gpu-0", "gpu-2"]


def test_a_gpu_that_cannot_be_read_is_unseen_and_the_others_are_offered() -> None:
    lost = Unseen("GPU 1", "GPU is lost", "00000000:1B:00.0")
    found = inventory(a_node(a_gpu(0), unseen=(lost,)), (a_place("1a"), a_place("1b")))
    assert _names(found) == ["gpu-0"]
    assert found.unseen == (lost,)


def test_without_nvml_there_are_no_devices_and_its_reason() -> None:
    found = inventory(NvmlAbsent("Driver Not Loaded"), ())
    assert found == Inventory((), (Unseen("NVML", "Driver Not Loaded"),))


def test_a_gpu_on_the_bus_that_nvml_does_not_have_is_said_with_who_has_it() -> None:
    found = inventory(
        a_node(a_gpu(0)), (a_place("1a"), a_place("1b", driver="vfio-pci"), a_place("4a", driver=""))
    )
    assert [(one.what, one.reason.partition("; ")[2]) for one in found.unseen] == [
        ("0000:1b:00.0", "kernel driver vfio-pci has it"),
        ("0000:4a:00.0", "no driver has it"),
    ]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (a_gpu(1, mig=Mig(enabled=True, pending=True)), "MIG mode is on"),
        (a_gpu(1, pci_bus_id="bus 27"), "'bus 27' is not domain:bus:device.function"),
        (a_gpu(1, uuid=""), "no UUID"),
        (a_gpu(-1), "minor number -1"),
        (a_gpu(0, uuid="GPU-x", pci_bus_id="00000000:1B:00.0"), "minor number 0 is also that of GPU-0"),
        (a_gpu(1, uuid="GPU-0"), "GPU-0 is also the UUID of gpu-0"),
        (a_gpu(1, pci_bus_id="00000000:1A:00.0"), "PCI bus id 0000:1a:00.0 is also that of gpu-0"),
    ],
)
def test_a_gpu_that_cannot_be_offered_is_said_and_the_first_is_offered(second: GpuFacts, words: str) -> None:
    found = inventory(a_node(a_gpu(0), second), ())
    assert _names(found) == ["gpu-0"]
    (unseen,) = found.unseen
    assert unseen.what == f"gpu-{second.minor}"
    assert words in unseen.reason


def test_an_odd_value_costs_the_value_not_the_gpu() -> None:
    found = inventory(a_node(a_gpu(0, cuda_compute_capability="?")), ())
    assert _names(found) == ["gpu-0"]
    assert [one.what for one in found.unseen] == ["gpu-0 cudaComputeCapability"]


_TEXT = st.text(max_size=80)
_BUS = st.one_of(_TEXT, st.from_regex(r"0000(0000)?:[0-9A-F]{2}:00\.0", fullmatch=True))
_GPUS = st.builds(
    GpuFacts,
    minor=st.integers(-1, 5),
    uuid=_TEXT,
    pci_bus_id=_BUS,
    product_name=_TEXT,
    brand=_TEXT,
    architecture=_TEXT,
    cuda_compute_capability=_TEXT,
    memory_bytes=st.none() | st.integers(-1, 2**64),
    addressing_mode=st.none() | _TEXT,
    mig=st.none() | st.builds(Mig, enabled=st.booleans(), pending=st.booleans()),
)
_NODES = st.builds(
    NodeFacts,
    driver_version=_TEXT,
    cuda_driver_version=_TEXT,
    gpus=st.lists(_GPUS, max_size=6).map(tuple),
    unseen=st.lists(st.builds(Unseen, _TEXT, _TEXT, _BUS), max_size=2).map(tuple),
)
_PLACES = st.lists(st.builds(PciGpu, _BUS, _TEXT, _TEXT, _TEXT), max_size=4).map(tuple)


@given(_NODES, _PLACES)
def test_whatever_nvml_and_sysfs_say_what_is_offered_kubernetes_would_take(
    node: NodeFacts, places: tuple[PciGpu, ...]
) -> None:
    devices = inventory(node, places).devices
    assert len({device.name for device in devices}) == len(devices)
    for device in devices:
        assert wire.decode(wire.encode(device), Device) == device
        texts = [a.string or a.version or "" for a in device.attributes.values()]
        assert max(len(text.encode()) for text in texts) <= 64


@given(_NODES, _PLACES)
def test_every_gpu_is_either_offered_or_spoken_of(node: NodeFacts, places: tuple[PciGpu, ...]) -> None:
    found = inventory(node, places)
    said = {one.what for one in found.unseen} | set(_names(found))
    assert {f"gpu-{gpu.minor}" for gpu in node.gpus} <= said
