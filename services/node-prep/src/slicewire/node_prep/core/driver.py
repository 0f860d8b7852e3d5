"""What a node has for its containers: what the kernel shows of its devices, and what the NVIDIA driver has
installed. Values only; `driverroot` reads them.

The kernel's part is known even while the driver is not there: a GPU that is passed through to a virtual
machine needs none.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

READ_AND_WRITE_BY_ALL = 0o666


class DeviceNode(msgspec.Struct, frozen=True):
    """A file under /dev. Without numbers it is no character device: a simulated one."""

    path: str
    major: int | None = None
    minor: int | None = None
    mode: int = READ_AND_WRITE_BY_ALL
    host_path: str = ""
    """Where it is on the host, when that is not below the driver's root."""


class Link(msgspec.Struct, frozen=True):
    """`path` → `target` (as written in the link), which leads to `library` in the end."""

    path: str
    target: str
    library: str


class SeenGpu(msgspec.Struct, frozen=True):
    """Where a GPU that answers is now."""

    minor: int
    pci_bus_id: str = ""
    """As sysfs writes it."""


class SeenPartition(msgspec.Struct, frozen=True, kw_only=True):
    """A MIG device that exists, and where it is now."""

    uuid: str
    gpu: str
    """The UUID of the GPU it is a part of."""
    profile_id: int
    start: int
    gpu_instance: int
    compute_instance: int


class Capability(msgspec.Struct, frozen=True):
    """The numbers by which the driver knows who may use a part of a GPU."""

    minor: int
    mode: int


class VfioDevice(msgspec.Struct, frozen=True):
    """A PCI device as VFIO offers it."""

    group: str
    """Its IOMMU group, the `12` of `/dev/vfio/12`."""
    name: str = ""
    """The `vfio3` of `/dev/vfio/devices/vfio3`; empty where the kernel offers no such thing."""


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """Device files and where they belong, driver or not."""

    root: str = "/"
    """Where the driver's root is on the host."""
    nodes: Mapping[str, DeviceNode] = msgspec.field(default_factory=dict)
    """By path."""
    vfio: Mapping[str, VfioDevice] = msgspec.field(default_factory=dict)
    """By PCI bus id."""

    def on_host(self, path: str) -> str:
        return self.root.rstrip("/") + path


class Driver(Kernel, frozen=True, kw_only=True):
    """All paths are as a container has them; `on_host` says where they are on the host."""

    version: str
    libraries: tuple[str, ...]
    links: tuple[Link, ...] = ()
    files: tuple[str, ...] = ()
    """Programs, firmware, and what graphics libraries read."""
    sockets: tuple[str, ...] = ()
    cdi_hook: str = ""
    """NVIDIA's hook for container runtimes, where it is on the host; empty where it is not installed."""
    loader_folders: tuple[str, ...] = ()
    """Where the loaders of the distributions look for libraries without being told."""
    gpus: Mapping[str, SeenGpu] = msgspec.field(default_factory=dict)
    """By UUID."""
    partitions: tuple[SeenPartition, ...] = ()
    display_nodes: Mapping[str, tuple[DeviceNode, ...]] = msgspec.field(default_factory=dict)
    """By PCI bus id: the GPU's nodes under /dev/dri."""
    display_links: Mapping[str, tuple[tuple[str, str], ...]] = msgspec.field(default_factory=dict)
    """By PCI bus id: path and target of the links by which programs find those nodes."""
    capabilities_major: int | None = None
    """Of all capability devices; None where the driver has none."""
    capabilities: Mapping[str, Capability] = msgspec.field(default_factory=dict)
    """By the path of their access file below the driver's `capabilities`, such as `gpu0/mig/gi1/access`."""


class DriverAbsent(Kernel, frozen=True):
    """There is no usable driver now. It may come later."""

    reason: str


def bus_id(as_nvml_writes: str) -> str:
    """`00000000:1A:00.0` is sysfs's `0000:1a:00.0`."""
    domain, _, rest = as_nvml_writes.lower().partition(":")
    return f"{domain[-4:]}:{rest}"
