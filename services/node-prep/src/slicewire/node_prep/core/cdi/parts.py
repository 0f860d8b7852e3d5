"""The device nodes of one device, by what it is: a whole GPU, a part of one, a PCI device for a machine.

Where a device is now, the driver says, by its UUID or its place on the bus. What is not there is refused:
a container would start without it.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from slicewire.common.model import DeviceName
from slicewire.node_prep.core.cdi.document import CdiDeviceNode, ContainerEdits
from slicewire.node_prep.core.cdi.hooks import symlinks
from slicewire.node_prep.core.config import BackendPolicy, DeviceConfig, VfioDeviceConfig, VfioIommu
from slicewire.node_prep.core.driver import DeviceNode, Driver, DriverAbsent, Kernel, SeenPartition
from slicewire.node_prep.core.hardware import FullGpu, Partition, PlannedDevice, VfioFunction
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

_ALL = "rwm"
_VFIO = "/dev/vfio"
_VFIO_API = "/dev/vfio/vfio"
_IOMMUFD_API = "/dev/iommu"


class Passthrough(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU that a VFIO driver has, for a virtual machine."""

    pci_bus_id: str
    prefer_iommufd: bool = False
    """Where the kernel has it; else its IOMMU group is given."""
    with_api_device: bool = False
    """The node by which groups or devices are put together, too."""


Part = FullGpu | Partition | Passthrough


def part_of(planned: PlannedDevice) -> Part:
    match planned.hardware:
        case FullGpu() | Partition() as hardware:
            return hardware
        case VfioFunction(place):
            return _for_a_machine(place, planned.config)
        case never:
            assert_never(never)


def _for_a_machine(place: str, config: DeviceConfig) -> Passthrough:
    iommu = (config.iommu if isinstance(config, VfioDeviceConfig) else None) or VfioIommu()
    return Passthrough(
        pci_bus_id=place,
        prefer_iommufd=iommu.backend_policy == BackendPolicy.PREFER_IOMMU_FD,
        with_api_device=iommu.enable_api_device,
    )


def edits_of(device: DeviceName, part: Part, node: Driver | DriverAbsent) -> ContainerEdits | PrepareRefusal:
    match part, node:
        case Passthrough(), _:
            return _passthrough(device, part, node)
        case _, DriverAbsent(reason=reason):
            return _lacking(f"the NVIDIA driver is not usable: {reason}")
        case FullGpu(uuid=uuid), Driver() as driver:
            return _whole(device, uuid, driver)
        case Partition(), Driver() as driver:
            return _partition(device, part, driver)
        case never:
            assert_never(never)


def shared_node(node: DeviceNode, kernel: Kernel) -> CdiDeviceNode:
    return CdiDeviceNode(
        path=node.path,
        host_path=node.host_path or kernel.on_host(node.path),
        major=node.major,
        minor=node.minor,
        file_mode=node.mode,
        permissions=_ALL,
    )


def _whole(device: DeviceName, uuid: str, driver: Driver) -> ContainerEdits | PrepareRefusal:
    gpu = driver.gpus.get(uuid)
    if gpu is None:
        return _lacking(f"the driver does not see device {device} ({uuid}) now")
    node = _present(device, f"/dev/nvidia{gpu.minor}", driver)
    if isinstance(node, PrepareRefusal):
        return node
    display = driver.display_nodes.get(gpu.pci_bus_id, ())
    return ContainerEdits(
        device_nodes=(node, *(shared_node(one, driver) for one in display)),
        hooks=symlinks(driver, driver.display_links.get(gpu.pci_bus_id, ())),
    )


def _partition(device: DeviceName, part: Partition, driver: Driver) -> ContainerEdits | PrepareRefusal:
    """Whoever holds the nodes of its two capabilities may use it; the GPU's own node alone gives nothing."""
    seen = next((one for one in driver.partitions if _is(part, one)), None)
    if seen is None:
        return _lacking(f"the driver does not see device {device} ({part.uuid or f'on {part.gpu}'}) now")
    whole = _whole(device, seen.gpu, driver)
    if isinstance(whole, PrepareRefusal):
        return whole
    instance = f"gpu{driver.gpus[seen.gpu].minor}/mig/gi{seen.gpu_instance}"
    nodes = []
    for access in (f"{instance}/access", f"{instance}/ci{seen.compute_instance}/access"):
        node = _capability(device, access, driver)
        if isinstance(node, PrepareRefusal):
            return node
        nodes.append(node)
    return whole + ContainerEdits(device_nodes=tuple(nodes))


def _is(part: Partition, seen: SeenPartition) -> bool:
    """One that is made for a claim has a new UUID each time, and is known by where it was made."""
    here = (part.gpu, part.profile_id, part.start) == (seen.gpu, seen.profile_id, seen.start)
    return here and part.uuid in ("", seen.uuid)


def _capability(device: DeviceName, access: str, driver: Driver) -> CdiDeviceNode | PrepareRefusal:
    """The runtime makes the node from its numbers: it need not exist on the host."""
    if driver.capabilities_major is None:
        return _lacking(f"device {device} needs nvidia-caps, which /proc/devices does not list")
    found = driver.capabilities.get(access)
    if found is None:
        return _lacking(f"device {device}: /proc/driver/nvidia/capabilities/{access} cannot be read")
    return CdiDeviceNode(
        path=f"/dev/nvidia-caps/nvidia-cap{found.minor}",
        type="c",
        major=driver.capabilities_major,
        minor=found.minor,
        file_mode=found.mode,
    )


def _passthrough(device: DeviceName, part: Passthrough, kernel: Kernel) -> ContainerEdits | PrepareRefusal:
    found = kernel.vfio.get(part.pci_bus_id)
    if found is None:
        return _lacking(f"device {device}: PCI device {part.pci_bus_id} is in no IOMMU group now")
    by_iommufd = part.prefer_iommufd and _IOMMUFD_API in kernel.nodes
    if by_iommufd and not found.name:
        return _lacking(
            f"device {device}: PCI device {part.pci_bus_id} has no node under {_VFIO}/devices now;"
            " backendPolicy LegacyOnly does without"
        )
    paths = [f"{_VFIO}/devices/{found.name}" if by_iommufd else f"{_VFIO}/{found.group}"]
    if part.with_api_device:
        paths.append(_IOMMUFD_API if by_iommufd else _VFIO_API)
    nodes = []
    for path in paths:
        node = _present(device, path, kernel)
        if isinstance(node, PrepareRefusal):
            return node
        nodes.append(node)
    return ContainerEdits(device_nodes=tuple(nodes))


def _present(device: DeviceName, path: str, kernel: Kernel) -> CdiDeviceNode | PrepareRefusal:
    node = kernel.nodes.get(path)
    if node is None:
        return _lacking(f"device {device}: {kernel.on_host(path)} is missing")
    return shared_node(node, kernel)


def _lacking(reason: str) -> PrepareRefusal:
    return PrepareRefusal(Why.DRIVER, reason)
