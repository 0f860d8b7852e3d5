"""The NVIDIA driver of a node as node-prep sees it: what is installed where, and which GPUs it runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class DeviceNode(msgspec.Struct, frozen=True):
    """A file under /dev. Without numbers it is no character device: a simulated one."""

    path: str
    major: int | None = None
    minor: int | None = None


class Link(msgspec.Struct, frozen=True):
    """`path` → `target` (as written in the link), which leads to `library` in the end."""

    path: str
    target: str
    library: str


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """All paths are below `root`, which is where the driver is on the host."""

    version: str
    root: str
    nodes: Mapping[str, DeviceNode]
    libraries: tuple[str, ...]
    links: tuple[Link, ...] = ()
    files: tuple[str, ...] = ()
    """Programs and firmware."""
    sockets: tuple[str, ...] = ()
    cdi_hook: str = ""
    """NVIDIA's hook for container runtimes; empty where it is not installed."""
    uuids: Mapping[int, str] = msgspec.field(default_factory=dict)
    """By minor number: the GPUs that answer."""
    display_nodes: Mapping[str, tuple[DeviceNode, ...]] = msgspec.field(default_factory=dict)
    """By PCI bus id: the GPU's nodes under /dev/dri."""

    def on_host(self, path: str) -> str:
        return self.root.rstrip("/") + path


class DriverAbsent(msgspec.Struct, frozen=True):
    """There is no usable driver now. It may come later."""

    reason: str
