"""What is published of a GPU."""

from __future__ import annotations

import pytest

from slicewire.common.model import DeviceAttribute, Quantity
from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.discovery.core.attributes import Odd, attributes, capacity
from slicewire.discovery.core.pci import PciGpu
from tests.unit.discovery.builders import a_gpu, a_node, a_place

BARE = PciGpu("0000:1a:00.0")


def _known(gpu: GpuFacts, node: NodeFacts | None = None, place: PciGpu = BARE) -> dict[str, DeviceAttribute]:
    known, odd = attributes(node or a_node(gpu), gpu, place)
    assert odd == ()
    return dict(known)


def test_a_gpu_on_a_machine_that_knows_its_place_says_all() -> None:
    assert _known(a_gpu(addressing_mode="HMM"), place=a_place(root="pci0000:64", numa="1")) == {
        "type": DeviceAttribute(string="gpu"),
        "uuid": DeviceAttribute(string="GPU-0"),
        "productName": DeviceAttribute(string="NVIDIA H100 80GB HBM3"),
        "brand": DeviceAttribute(string="Nvidia"),
        "architecture": DeviceAttribute(string="Hopper"),
        "cudaComputeCapability": DeviceAttribute(version="9.0.0"),
        "driverVersion": DeviceAttribute(version="550.163.1"),
        "cudaDriverVersion": DeviceAttribute(version="12.4.0"),
        "addressingMode": DeviceAttribute(string="HMM"),
        "resource.kubernetes.io/pciBusID": DeviceAttribute(string="0000:1a:00.0"),
        "resource.kubernetes.io/pcieRoot": DeviceAttribute(string="pci0000:64"),
        "resource.kubernetes.io/numaNode": DeviceAttribute(int_value=1),
    }


def test_what_the_machine_does_not_know_is_left_out() -> None:
    left_out = {"addressingMode", "resource.kubernetes.io/pcieRoot", "resource.kubernetes.io/numaNode"}
    assert not left_out & set(_known(a_gpu()))


@pytest.mark.parametrize(
    ("says", "published"),
    [("570.170.01", "570.170.1"), ("580.126.20", "580.126.20"), ("13.0", "13.0.0"), ("550", "550.0.0")],
)
def test_versions_are_made_strict(says: str, published: str) -> None:
    gpu = a_gpu()
    known = _known(gpu, a_node(gpu, driver_version=says))
    assert known["driverVersion"] == DeviceAttribute(version=published)


@pytest.mark.parametrize("says", ["", "unknown", "1.2.3.4", "99999999999999999999", "1-" + "x" * 61])
def test_a_version_that_is_none_is_left_out_and_said(says: str) -> None:
    gpu = a_gpu()
    known, (odd,) = attributes(a_node(gpu, driver_version=says), gpu, BARE)
    assert "driverVersion" not in known
    assert odd.name == "driverVersion"
    assert known["productName"] == DeviceAttribute(string=gpu.product_name)


def test_a_value_longer_than_kubernetes_takes_is_left_out_and_said() -> None:
    gpu = a_gpu(product_name="é" * 33)
    known, odd = attributes(a_node(gpu), gpu, BARE)
    assert "productName" not in known
    assert odd == (Odd("productName", f"'{'é' * 33}' has 66 bytes, more than the 64 Kubernetes takes"),)
    assert "productName" in _known(a_gpu(product_name="é" * 32))


def test_memory_is_exact_and_absent_where_unknown() -> None:
    assert capacity(a_gpu(memory_bytes=81559 * 1024**2))["memory"].value == Quantity("81559Mi")
    assert capacity(a_gpu(memory_bytes=None)) == {}
