"""What is published of a GPU."""

from __future__ import annotations

import pytest

from slicewire.common.model import DeviceAttribute, Quantity
from slicewire.discovery.core.attributes import Odd, numbers, shared_attributes, sorted_out
from slicewire.discovery.core.pci import PciGpu
from tests.unit.discovery.builders import a_gpu, a_node, a_place, seen, the

BARE = PciGpu("0000:1a:00.0")


def test_a_gpu_on_a_machine_that_knows_its_place_says_all() -> None:
    node = a_node(a_gpu(addressing_mode="HMM"))
    device = the(seen(node, a_place(root="pci0000:64", numa="1")), "gpu-0")
    assert device.attributes == {
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
    assert not left_out & set(the(seen(a_node(a_gpu())), "gpu-0").attributes)


@pytest.mark.parametrize(
    ("says", "published"),
    [("570.170.01", "570.170.1"), ("580.126.20", "580.126.20"), ("13.0", "13.0.0"), ("550", "550.0.0")],
)
def test_versions_are_made_strict(says: str, published: str) -> None:
    known, odd = shared_attributes(a_node(driver_version=says), a_gpu(), BARE)
    assert known["driverVersion"] == DeviceAttribute(version=published)
    assert odd == ()


@pytest.mark.parametrize("says", ["", "unknown", "1.2.3.4", "99999999999999999999", "1-" + "x" * 61])
def test_a_version_that_is_none_is_left_out_and_said(says: str) -> None:
    known, (odd,) = shared_attributes(a_node(driver_version=says), a_gpu(), BARE)
    assert "driverVersion" not in known
    assert odd.name == "driverVersion"
    assert known["productName"] == DeviceAttribute(string="NVIDIA H100 80GB HBM3")


def test_a_value_longer_than_kubernetes_takes_is_left_out_and_said() -> None:
    known, odd = shared_attributes(a_node(), a_gpu(product_name="é" * 33), BARE)
    assert "productName" not in known
    assert odd == (Odd("productName", f"'{'é' * 33}' has 66 bytes, more than the 64 Kubernetes takes"),)
    assert "productName" in shared_attributes(a_node(), a_gpu(product_name="é" * 32), BARE)[0]


def test_a_number_that_no_attribute_holds_is_left_out_and_said() -> None:
    known, (odd,) = sorted_out(tuple(numbers({"good": 2**63 - 1, "odd": 2**63, "none": None})))
    assert list(known) == ["good"]
    assert odd == Odd("odd", f"{2**63} is more than an attribute holds")


def test_memory_is_exact_and_absent_where_unknown() -> None:
    known = the(seen(a_node(a_gpu(memory_bytes=81559 * 1024**2))), "gpu-0")
    assert known.capacity["memory"].value == Quantity("81559Mi")
    assert the(seen(a_node(a_gpu(memory_bytes=None))), "gpu-0").capacity == {}
