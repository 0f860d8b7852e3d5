"""Reads the NVIDIA GPUs on the PCI bus from sysfs; never interprets."""

from __future__ import annotations

from pathlib import Path

from slicewire.discovery.core.pci import VENDOR, PciGpu

_DISPLAY_CLASS = "0x03"
"""PCI class of GPUs, with or without a display; switches and audio functions have others."""


def gpus_on_the_bus(root: Path) -> tuple[PciGpu, ...]:
    """By bus id, from `<root>/sys`. A machine without that folder has none."""
    folder = root / "sys" / "bus" / "pci" / "devices"
    if not folder.is_dir():
        return ()
    return tuple(_gpu(link) for link in sorted(folder.iterdir()) if _is_gpu(link))


def _is_gpu(link: Path) -> bool:
    return text(link / "vendor") == VENDOR and text(link / "class").startswith(_DISPLAY_CLASS)


def _gpu(link: Path) -> PciGpu:
    return PciGpu(
        bus_id=link.name,
        path=_target(link),
        numa_node=text(link / "numa_node"),
        kernel_driver=_target(link / "driver").rpartition("/")[2],
        device_id=text(link / "device"),
        override=text(link / "driver_override"),
        resource=text(link / "resource"),
    )


def text(file: Path) -> str:
    """Empty where it cannot be read: a device can go while we look."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _target(link: Path) -> str:
    try:
        return str(link.readlink()).encode(errors="replace").decode()
    except OSError:
        return ""
