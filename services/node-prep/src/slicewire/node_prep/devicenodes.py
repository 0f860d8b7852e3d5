"""What the kernel shows of a node's devices: nodes under /dev, VFIO groups, the capabilities of partitions.

It reads and never interprets. All of it blocks: call it in a thread. It is done for every claim, so paths
are text here: a `Path` costs more than what is asked of it.
"""

# ruff: noqa: PTH110, PTH114, PTH115, PTH116, PTH208 - paths are text here

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from slicewire.node_prep.core.driver import Capability, DeviceNode, VfioDevice
from slicewire.node_prep.kernelfiles import text

_CONTROL_NODE = "dev/nvidiactl"
_NOT_THERE = (FileNotFoundError, NotADirectoryError)
_FOLDERS = (("/dev", ("nvidia", "iommu")), ("/dev/vfio", ("",)), ("/dev/vfio/devices", ("",)))
"""And how the names of our nodes begin in each."""
_NVIDIA = "0x10de"
_BY_PATH = "/dev/dri/by-path"
_DISPLAY_LINK = re.compile(r"pci-(.*)-[^-]*")
_MAJOR_OF_CAPABILITIES = re.compile(r"^\s*(\d+)\s+nvidia-caps$", re.MULTILINE)
_CAPABILITIES = "proc/driver/nvidia/capabilities"
_ACCESS = re.compile(r"^(DeviceFileMinor|DeviceFileMode):\s*(\d+)\s*$", re.MULTILINE)


def dev_root(driver_root: Path, host_root: Path) -> Path:
    """A driver that is installed by a container has a /dev of its own; another uses the host's."""
    return driver_root if os.path.exists(f"{driver_root}/{_CONTROL_NODE}") else host_root


def nodes(root: Path, on_host: str) -> dict[str, DeviceNode]:
    """By path, as a container has it."""
    return {known_as: node(known_as, f"{root}{known_as}", on_host) for known_as in _names(str(root))}


def _names(root: str) -> Iterator[str]:
    for folder, beginnings in _FOLDERS:
        with suppress(*_NOT_THERE), os.scandir(f"{root}{folder}") as found:
            names = (one.name for one in found if one.name.startswith(beginnings) and not one.is_dir())
            yield from (f"{folder}/{name}" for name in sorted(names))


def node(known_as: str, path: str, on_host: str) -> DeviceNode:
    status = os.stat(path)
    host_path = f"{on_host.rstrip('/')}{known_as}"
    if not stat.S_ISCHR(status.st_mode):
        return DeviceNode(known_as, host_path=host_path)
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return DeviceNode(known_as, major, minor, stat.S_IMODE(status.st_mode), host_path)


def display_nodes(root: Path, sysfs: Path, on_host: str) -> dict[str, tuple[DeviceNode, ...]]:
    """By PCI bus id."""
    found: dict[str, tuple[DeviceNode, ...]] = {}
    devices = f"{sysfs}/sys/bus/pci/devices"
    for bus_id in _inside(devices):
        for name in _inside(f"{devices}/{bus_id}/drm"):
            at = f"{root}/dev/dri/{name}"
            if os.path.exists(at):
                found[bus_id] = (*found.get(bus_id, ()), node(f"/dev/dri/{name}", at, on_host))
    return found


def display_links(root: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """By PCI bus id: path and target, such as `/dev/dri/by-path/pci-0000:1a:00.0-card` and `../card0`."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in _inside(f"{root}{_BY_PATH}"):
        named, at = _DISPLAY_LINK.fullmatch(name), f"{root}{_BY_PATH}/{name}"
        if named and os.path.islink(at):
            link = (f"{_BY_PATH}/{name}", os.readlink(at))
            found[named[1]] = (*found.get(named[1], ()), link)
    return found


def _inside(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except _NOT_THERE:
        return []


def vfio(sysfs: Path) -> dict[str, VfioDevice]:
    """NVIDIA's devices that are in an IOMMU group, by PCI bus id."""
    return dict(_vfio(sysfs / "sys/bus/pci/devices"))


def _vfio(devices: Path) -> Iterator[tuple[str, VfioDevice]]:
    for device in sorted(devices.glob("*")):
        group = device / "iommu_group"
        if group.is_symlink() and text(device / "vendor") == _NVIDIA:
            name = next((path.name for path in sorted((device / "vfio-dev").glob("vfio*"))), "")
            yield device.name, VfioDevice(group=group.readlink().name, name=name)


def capabilities_major(sysfs: Path) -> int | None:
    listed = _MAJOR_OF_CAPABILITIES.search(text(sysfs / "proc/devices"))
    return int(listed[1]) if listed else None


def capabilities(sysfs: Path) -> dict[str, Capability]:
    """By access file. One that cannot be read is as good as none."""
    folder = sysfs / _CAPABILITIES
    found: dict[str, Capability] = {}
    for pattern in ("gpu*/mig/gi*/access", "gpu*/mig/gi*/ci*/access"):
        for path in sorted(folder.glob(pattern)):
            said = dict(_ACCESS.findall(text(path)))
            if "DeviceFileMinor" in said and "DeviceFileMode" in said:
                capability = Capability(int(said["DeviceFileMinor"]), int(said["DeviceFileMode"]))
                found[str(path.relative_to(folder))] = capability
    return found
