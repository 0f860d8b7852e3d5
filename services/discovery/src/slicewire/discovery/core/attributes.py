"""The attributes and capacity of a full GPU, with the names and types of NVIDIA's DRA driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import BadSemver, DeviceAttribute, DeviceCapacity, Quantity, Semver
from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.discovery.core import pci

PCI_BUS_ID = "resource.kubernetes.io/pciBusID"
PCIE_ROOT = "resource.kubernetes.io/pcieRoot"
NUMA_NODE = "resource.kubernetes.io/numaNode"
LONGEST_VALUE_BYTES = 64
"""resource.k8s.io/v1 DeviceAttributeMaxValueLength: one longer value and the whole slice is refused."""


class Odd(msgspec.Struct, frozen=True):
    """A value that cannot be published, and why."""

    name: str
    reason: str


def attributes(
    node: NodeFacts, gpu: GpuFacts, place: pci.PciGpu
) -> tuple[Mapping[str, DeviceAttribute], tuple[Odd, ...]]:
    """What is known of this GPU; what cannot be published is left out and returned beside it."""
    read = (*_texts(gpu, place), *_versions(node, gpu), *_numbers(place))
    good = {name: value for name, value in read if isinstance(value, DeviceAttribute)}
    return good, tuple(value for _, value in read if isinstance(value, Odd))


def capacity(gpu: GpuFacts) -> Mapping[str, DeviceCapacity]:
    if gpu.memory_bytes is None:
        return {}
    return {"memory": DeviceCapacity(value=Quantity.of(gpu.memory_bytes))}


def _texts(gpu: GpuFacts, place: pci.PciGpu) -> Iterator[tuple[str, DeviceAttribute | Odd]]:
    values = {
        "type": "gpu",
        "uuid": gpu.uuid,
        "productName": gpu.product_name,
        "brand": gpu.brand,
        "architecture": gpu.architecture,
        "addressingMode": gpu.addressing_mode,
        PCI_BUS_ID: place.bus_id,
        PCIE_ROOT: pci.pcie_root(place),
    }
    for name, value in values.items():
        if value is not None:
            yield name, _too_long(name, value) or DeviceAttribute(string=value)


def _versions(node: NodeFacts, gpu: GpuFacts) -> Iterator[tuple[str, DeviceAttribute | Odd]]:
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


def _numbers(place: pci.PciGpu) -> Iterator[tuple[str, DeviceAttribute | Odd]]:
    if (node := pci.numa_node(place)) is not None:
        yield NUMA_NODE, DeviceAttribute(int_value=node)


def _too_long(name: str, value: str) -> Odd | None:
    size = len(value.encode())
    if size <= LONGEST_VALUE_BYTES:
        return None
    return Odd(name, f"{value!r} has {size} bytes, more than the {LONGEST_VALUE_BYTES} Kubernetes takes")
