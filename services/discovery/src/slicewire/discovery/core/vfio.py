"""A whole GPU as a PCI device for a virtual machine: `gpu-vfio-<number>`.

Known from the bus alone, so that it is offered while the NVIDIA driver has let go of it, and on nodes
that never had one. Where the GPU is offered as something else too, both draw from one counter set.
"""

from __future__ import annotations

import uuid

from slicewire.common.model import CounterSet, Device, DeviceAttribute, DeviceCapacity, Quantity
from slicewire.common.model.naming import vfio_name
from slicewire.discovery.core import counters, pci
from slicewire.discovery.core.attributes import Odd, place_attributes, sorted_out, texts
from slicewire.discovery.core.policy import DeviceType


def vfio_gpu(
    number: int, place: pci.PciGpu, drawn_from: CounterSet | None, product_name: str, *, iommu_fd: bool
) -> tuple[Device, tuple[Odd, ...]]:
    """`product_name` is what the PCI id database calls it; empty where that is not known."""
    names = {
        "type": DeviceType.VFIO,
        # Not the GPU's own: NVIDIA's DRA driver makes it of the bus id, which is all that is known.
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, place.bus_id)),
        "deviceID": place.device_id or None,
        "vendorID": pci.VENDOR,
        "productName": product_name or None,
    }
    known, odd = sorted_out((*texts(names), *place_attributes(place)))
    attributes = {**known, "iommuFDEnabled": DeviceAttribute(bool_value=iommu_fd)}
    memory = pci.addressable_memory(place)
    capacity = {"addressableMemory": DeviceCapacity(value=Quantity.of(memory))} if memory else {}
    device = Device(
        name=vfio_name(number),
        attributes=attributes,
        capacity=capacity,
        consumes_counters=counters.all_of(drawn_from),
    )
    return device, odd
