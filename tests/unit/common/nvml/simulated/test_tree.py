"""The files of a simulated node follow its state, and its PCI bus can be written to."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node

BUS_ID = "0000:1b:00.0"


@pytest.fixture
def nvml(tmp_path: Path) -> SimulatedNvml:
    room = SimulatedNvml(tmp_path / "node-a" / "state.json", new_node("node-a", "h100", 2))
    room.look()
    return room


@pytest.fixture
def pci(nvml: SimulatedNvml) -> Path:
    return nvml.sysfs_root / "sys/bus/pci"


def _minors(nvml: SimulatedNvml) -> list[int]:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    return [gpu.minor for gpu in facts.gpus]


def _capabilities(nvml: SimulatedNvml) -> dict[str, int]:
    root = nvml.sysfs_root / "proc/driver/nvidia/capabilities"
    return {
        str(file.parent.relative_to(root)): int(file.read_text().split()[1])
        for file in sorted(root.rglob("access"))
    }


def test_an_instance_has_its_capabilities_as_soon_as_it_is_made(nvml: SimulatedNvml) -> None:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    gpu = facts.gpus[1].uuid
    nvml.set_mig_mode(gpu, enabled=True)
    instance = nvml.create_gpu_instance(gpu, 9, 4)
    inside = nvml.create_compute_instance(gpu, instance.id, 2)
    assert _capabilities(nvml) == {"gpu1/mig/gi1": 147, "gpu1/mig/gi1/ci0": 148}
    nvml.destroy_compute_instance(gpu, instance.id, inside.id)
    assert _capabilities(nvml) == {"gpu1/mig/gi1": 147}
    nvml.destroy_gpu_instance(gpu, instance.id)
    assert _capabilities(nvml) == {}
    assert "236 nvidia-caps" in (nvml.sysfs_root / "proc/devices").read_text()


def test_the_bus_tells_product_driver_and_iommu_group(pci: Path) -> None:
    device = pci / "devices" / BUS_ID
    assert (device / "device").read_text() == "0x2330\n"
    assert (device / "driver").resolve() == (pci / "drivers/nvidia").resolve()
    assert (device / "iommu_group").resolve().name == "1"
    assert (device / "iommu_group" / "devices" / BUS_ID).resolve() == device.resolve()


def test_the_addresses_of_a_gpu_hold_all_of_its_memory_and_are_its_own(pci: Path) -> None:
    taken: list[range] = []
    for file in sorted(pci.glob("devices/*/resource")):
        regions = [
            tuple(int(number, 16) for number in line.split()) for line in file.read_text().splitlines()
        ]
        assert len(regions) == 13
        spans = [range(start, end + 1) for start, end, flags in regions if flags]
        assert sorted(len(span) >> 20 for span in spans) == [16, 32, 128 << 10]
        assert all(span.start % len(span) == 0 for span in spans)
        taken.extend(spans)
    taken.sort(key=lambda span: span.start)
    assert all(one.stop <= other.start for one, other in itertools.pairwise(taken))


def test_a_gpu_moves_to_a_virtual_machines_driver_and_back(nvml: SimulatedNvml, pci: Path) -> None:
    device = pci / "devices" / BUS_ID
    (pci / "drivers/nvidia/unbind").write_text(BUS_ID)
    assert _minors(nvml) == [0]
    assert not (device / "driver").exists()
    (device / "driver_override").write_text("vfio-pci\n")
    (pci / "drivers_probe").write_text(BUS_ID)
    assert _minors(nvml) == [0]
    assert (device / "driver").resolve().name == "vfio-pci"
    assert (nvml.driver_root / "dev/vfio/1").exists()
    assert not (nvml.driver_root / "dev/nvidia1").exists()
    (pci / "drivers/vfio-pci/unbind").write_text(BUS_ID)
    (device / "driver_override").write_text("\n")
    (pci / "drivers/nvidia/bind").write_text(BUS_ID)
    assert _minors(nvml) == [0, 1]
    assert not (nvml.driver_root / "dev/vfio/1").exists()


def test_a_driver_takes_no_gpu_that_another_has_or_is_meant_to_have(nvml: SimulatedNvml, pci: Path) -> None:
    (pci / "drivers/vfio-pci/bind").write_text(BUS_ID)
    assert _minors(nvml) == [0, 1]
    (pci / "devices" / BUS_ID / "driver_override").write_text("vfio-pci")
    (pci / "drivers/nvidia/unbind").write_text(BUS_ID)
    (pci / "drivers/nvidia/bind").write_text(BUS_ID)
    assert _minors(nvml) == [0]


def test_what_was_written_is_done_once(nvml: SimulatedNvml, pci: Path) -> None:
    (pci / "drivers/nvidia/unbind").write_text(f"{BUS_ID}\n0000:ff:00.0\n")
    assert _minors(nvml) == [0]
    assert (pci / "drivers/nvidia/unbind").read_text() == ""


def test_files_that_stay_are_not_written_again(nvml: SimulatedNvml, pci: Path) -> None:
    vendor = pci / "devices" / BUS_ID / "vendor"
    before = vendor.stat()
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    nvml.set_mig_mode(facts.gpus[1].uuid, enabled=True)
    nvml.look()
    after = vendor.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
