"""Which GPUs are on the bus, read from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.sysfs import gpus_on_the_bus


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    return tmp_path


def _put(root: Path, bus_id: str, **files: str) -> Path:
    device = root / "sys/devices/pci0000:00" / bus_id
    device.mkdir(parents=True)
    for name, text in files.items():
        (device / name.rstrip("_")).write_text(text)
    (root / "sys/bus/pci/devices" / bus_id).symlink_to(f"../../../devices/pci0000:00/{bus_id}")
    return device


def test_gpus_of_nvidia_are_found_in_order_with_their_place_and_driver(root: Path) -> None:
    _put(root, "0000:4a:00.0", vendor="0x10de\n", class_="0x030000\n")
    device = _put(
        root, "0000:1a:00.0", vendor="0x10de\n", class_="0x030200\n", numa_node="1\n", device="0x2330\n"
    )
    (device / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    assert gpus_on_the_bus(root) == (
        PciGpu("0000:1a:00.0", "../../../devices/pci0000:00/0000:1a:00.0", "1", "vfio-pci", "0x2330"),
        PciGpu("0000:4a:00.0", "../../../devices/pci0000:00/0000:4a:00.0", "", ""),
    )


def test_switches_other_vendors_and_what_cannot_be_read_are_no_gpus(root: Path) -> None:
    _put(root, "0000:01:00.0", vendor="0x10de\n", class_="0x068000\n")
    _put(root, "0000:02:00.0", vendor="0x1002\n", class_="0x030200\n")
    _put(root, "0000:03:00.0")
    (root / "sys/bus/pci/devices/0000:04:00.0").symlink_to("../../../devices/gone")
    assert gpus_on_the_bus(root) == ()


def test_a_machine_without_pci_has_none(tmp_path: Path) -> None:
    assert gpus_on_the_bus(tmp_path) == ()
