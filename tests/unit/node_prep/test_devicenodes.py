"""What the kernel shows of devices, read from trees made for the purpose."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from slicewire.node_prep import devicenodes
from slicewire.node_prep.core.driver import Capability, DeviceNode, VfioDevice

ACCESS = "DeviceFileMinor: {}\nDeviceFileMode: 292\nDeviceFileModify: 1\n"
BUS_ID = "0000:1a:00.0"


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_nodes_of_every_kind_are_found_and_folders_are_not(tmp_path: Path) -> None:
    wanted = ["nvidia0", "nvidiactl", "iommu", "vfio/vfio", "vfio/12", "vfio/devices/vfio3"]
    for name in (*wanted, "nvidia-caps/nvidia-cap1", "null"):
        put(tmp_path, f"dev/{name}")
    found = devicenodes.nodes(tmp_path, "/run/nvidia/driver/")
    assert found.keys() == {f"/dev/{name}" for name in wanted}
    assert found["/dev/iommu"] == DeviceNode("/dev/iommu", host_path="/run/nvidia/driver/dev/iommu")


def test_a_character_device_has_the_numbers_and_the_mode_it_has(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").symlink_to("/dev/null")
    mode = stat.S_IMODE(Path("/dev/null").stat().st_mode)
    assert devicenodes.nodes(tmp_path, "/") == {
        "/dev/nvidiactl": DeviceNode("/dev/nvidiactl", 1, 3, mode, "/dev/nvidiactl")
    }


def test_display_nodes_are_known_by_the_bus_id_of_their_gpu(tmp_path: Path) -> None:
    for name in ("card0", "renderD128", "card9"):
        put(tmp_path, f"sys/bus/pci/devices/{BUS_ID}/drm/{name}")
    put(tmp_path, "dev/dri/card0")
    put(tmp_path, "dev/dri/renderD128")
    assert devicenodes.display_nodes(tmp_path, tmp_path, "/") == {
        BUS_ID: (
            DeviceNode("/dev/dri/card0", host_path="/dev/dri/card0"),
            DeviceNode("/dev/dri/renderD128", host_path="/dev/dri/renderD128"),
        )
    }


def test_links_to_display_nodes_are_known_by_the_bus_id_in_their_name(tmp_path: Path) -> None:
    (tmp_path / "dev/dri/by-path").mkdir(parents=True)
    (tmp_path / f"dev/dri/by-path/pci-{BUS_ID}-card").symlink_to("../card0")
    put(tmp_path, f"dev/dri/by-path/pci-{BUS_ID}-file")
    assert devicenodes.display_links(tmp_path) == {
        BUS_ID: ((f"/dev/dri/by-path/pci-{BUS_ID}-card", "../card0"),)
    }


@pytest.mark.parametrize(("vendor", "found"), [("0x10de\n", True), ("0x1af4\n", False)])
def test_only_nvidias_devices_are_offered_by_vfio(tmp_path: Path, vendor: str, found: bool) -> None:
    device = f"sys/bus/pci/devices/{BUS_ID}"
    put(tmp_path, f"{device}/vendor", vendor)
    put(tmp_path, f"{device}/vfio-dev/vfio3/dev", "511:3\n")
    (tmp_path / device / "iommu_group").symlink_to("../../../../kernel/iommu_groups/12")
    assert devicenodes.vfio(tmp_path) == ({BUS_ID: VfioDevice("12", "vfio3")} if found else {})


def test_the_capabilities_of_a_partition_are_read_from_their_access_files(tmp_path: Path) -> None:
    folder = "proc/driver/nvidia/capabilities/gpu0/mig/gi1"
    put(tmp_path, f"{folder}/access", ACCESS.format(11))
    put(tmp_path, f"{folder}/ci0/access", ACCESS.format(12))
    put(tmp_path, f"{folder}/ci1/access", "DeviceFileMinor: none\n")
    put(tmp_path, "proc/driver/nvidia/capabilities/mig/config", ACCESS.format(1))
    assert devicenodes.capabilities(tmp_path) == {
        "gpu0/mig/gi1/access": Capability(11, 292),
        "gpu0/mig/gi1/ci0/access": Capability(12, 292),
    }


@pytest.mark.parametrize(
    ("listed", "major"),
    [
        ("Character devices:\n195 nvidia\n236 nvidia-caps\n237 nvidia-caps-imex-channels\n", 236),
        ("Character devices:\n237 nvidia-caps-imex-channels\n", None),
    ],
)
def test_the_major_number_of_capabilities_is_as_the_kernel_lists_it(
    tmp_path: Path, listed: str, major: int | None
) -> None:
    put(tmp_path, "proc/devices", listed)
    assert devicenodes.capabilities_major(tmp_path) == major


def test_a_node_without_proc_has_no_capabilities(tmp_path: Path) -> None:
    assert devicenodes.capabilities_major(tmp_path) is None
    assert devicenodes.capabilities(tmp_path) == {}
