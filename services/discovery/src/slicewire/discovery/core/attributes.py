"""Attributes with the names and types of NVIDIA's DRA driver, and values that Kubernetes takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import BadSemver, DeviceAttribute, Semver
from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.discovery.core import pci

PCI_BUS_ID = "resource.kubernetes.io/pciBusID"
PCIE_ROOT = "resource.kubernetes.io/pcieRoot"
NUMA_NODE = "resource.kubernetes.io/numaNode"
LONGEST_VALUE_BYTES = 64
"""resource.k8s.io/v1 DeviceAttributeMaxValueLength: one longer value and the whole slice is refused."""
_LARGEST_NUMBER = 2**63 - 1


class Odd(msgspec.Struct, frozen=True):
    """A value that cannot be published, and why."""

    name: str
    reason: str


Read = Iterator[tuple[str, DeviceAttribute | Odd]]


def shared_attributes(
    node: NodeFacts, gpu: GpuFacts, place: pci.PciGpu
) -> tuple[Mapping[str, DeviceAttribute], tuple[Odd, ...]]:
    """What is true of this GPU and of every partition of it; what is odd is left out and returned beside."""
    names = {
        "productName": gpu.product_name,
        "brand": gpu.brand,
        "architecture": gpu.architecture,
        "addressingMode": gpu.addressing_mode,
    }
    return sorted_out((*texts(names), *_versions(node, gpu), *place_attributes(place)))


def place_attributes(place: pci.PciGpu) -> Read:
    """The three names that Kubernetes gives to all drivers alike."""
    yield from texts({PCI_BUS_ID: place.bus_id, PCIE_ROOT: pci.pcie_root(place)})
    yield from numbers({NUMA_NODE: pci.numa_node(place)})


def texts(values: Mapping[str, str | None]) -> Read:
    for name, value in values.items():
        if value is not None:
            yield name, _too_long(name, value) or DeviceAttribute(string=value)


def numbers(values: Mapping[str, int | None]) -> Read:
    for name, value in values.items():
        if value is not None:
            odd = Odd(name, f"{value} is more than an attribute holds") if value > _LARGEST_NUMBER else None
            yield name, odd or DeviceAttribute(int_value=value)


def sorted_out(
    read: tuple[tuple[str, DeviceAttribute | Odd], ...],
) -> tuple[dict[str, DeviceAttribute], tuple[Odd, ...]]:
    good = {name: value for name, value in read if isinstance(value, DeviceAttribute)}
    return good, tuple(value for _, value in read if isinstance(value, Odd))


def text(value: str) -> DeviceAttribute:
    """Of a value that is short for certain."""
    return DeviceAttribute(string=value)


def _versions(node: NodeFacts, gpu: GpuFacts) -> Read:
    values = {
        "cudaComputeCapability": gpu.cuda_compute_capability,
        "driverVersion": node.driver_version,
        "cudaDriverVersion": node.cuda_driver_version,
    }
    for name, value in values.items():
        yield name, _too_long(name, value) or _version(name, value)


def _version(name: str, value: str) -> DeviceAttribute | Odd:
    try:
        version = Semver.normalized(value).text
    except BadSemver as error:
        return Odd(name, f"{error}: not published")
    return _too_long(name, version) or DeviceAttribute(version=version)


def _too_long(name: str, value: str) -> Odd | None:
    size = len(value.encode(errors="replace"))
    if size <= LONGEST_VALUE_BYTES:
        return None
    return Odd(name, f"{value!r} has {size} bytes, more than the {LONGEST_VALUE_BYTES} Kubernetes takes")
