"""Reading what a driver has put on a node, from trees made for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent
from slicewire.common.nvml.port import Event
from slicewire.node_prep.core.driver import DeviceNode, Driver, DriverAbsent, Link
from slicewire.node_prep.driverroot import DriverRoot
from tests.unit.node_prep.builders import VERSION, uuid_of

LIB64, DEBIAN = "/usr/lib64", "/usr/lib/x86_64-linux-gnu"


class FixedNvml:
    """NVML of a node whose driver is installed below a directory."""

    def __init__(self, root: Path, facts: NodeFacts | NvmlAbsent) -> None:
        self.driver_root = root
        self.sysfs_root = root
        self._facts = facts

    def look(self) -> NodeFacts | NvmlAbsent:
        return self._facts

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        raise AssertionError(f"node-prep does not wait for events ({timeout_seconds})")

    def let_go(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""


def a_gpu(minor: int) -> GpuFacts:
    return GpuFacts(
        minor=minor,
        uuid=uuid_of(minor),
        pci_bus_id=f"00000000:{minor:02X}:00.0",
        product_name="NVIDIA H100 80GB HBM3",
        brand="Nvidia",
        architecture="Hopper",
        cuda_compute_capability="9.0",
    )


FACTS = NodeFacts(driver_version=VERSION, cuda_driver_version="12.4", gpus=(a_gpu(0),))


def put(root: Path, *paths: str) -> None:
    for path in paths:
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def link(root: Path, path: str, target: str) -> None:
    (root / path.lstrip("/")).symlink_to(target)


def looked(root: Path, on_host: str = "", facts: NodeFacts | NvmlAbsent = FACTS) -> Driver:
    found = DriverRoot(FixedNvml(root, facts), on_host).look()
    assert isinstance(found, Driver)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, f"{LIB64}/libcuda.so.{VERSION}", f"{LIB64}/libnvidia-ml.so.{VERSION}")
    return tmp_path


def test_libraries_of_the_running_version_are_found_and_no_others(root: Path) -> None:
    put(
        root, f"{LIB64}/libcuda.so.535.1", f"{LIB64}/libc.so.6", f"{LIB64}/vdpau/libvdpau_nvidia.so.{VERSION}"
    )
    assert looked(root).libraries == (
        f"{LIB64}/libcuda.so.{VERSION}",
        f"{LIB64}/libnvidia-ml.so.{VERSION}",
        f"{LIB64}/vdpau/libvdpau_nvidia.so.{VERSION}",
    )


def test_a_folder_that_is_a_link_to_another_is_not_read_twice(root: Path) -> None:
    link(root, "/lib64", "usr/lib64")
    assert len(looked(root).libraries) == 2


def test_the_names_programs_load_are_followed_to_their_library(root: Path) -> None:
    link(root, f"{LIB64}/libnvidia-ml.so.1", f"libnvidia-ml.so.{VERSION}")
    link(root, f"{LIB64}/libnvidia-ml.so", "libnvidia-ml.so.1")
    link(root, f"{LIB64}/libelse.so", "libelse.so.1")
    library = f"{LIB64}/libnvidia-ml.so.{VERSION}"
    assert looked(root).links == (
        Link(f"{LIB64}/libnvidia-ml.so", "libnvidia-ml.so.1", library),
        Link(f"{LIB64}/libnvidia-ml.so.1", f"libnvidia-ml.so.{VERSION}", library),
    )


def test_libcuda_is_linked_without_a_version_even_where_the_host_does_not(root: Path) -> None:
    link(root, f"{LIB64}/libcuda.so.1", f"libcuda.so.{VERSION}")
    library = f"{LIB64}/libcuda.so.{VERSION}"
    assert Link(f"{LIB64}/libcuda.so", "libcuda.so.1", library) in looked(root).links


def test_links_in_a_circle_lead_nowhere(root: Path) -> None:
    link(root, f"{LIB64}/liba.so", "libb.so")
    link(root, f"{LIB64}/libb.so", "liba.so")
    assert looked(root).links == ()


def test_a_real_device_node_has_its_numbers_and_a_plain_file_has_none(root: Path) -> None:
    put(root, "/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap1")
    (root / "dev/nvidiactl").symlink_to("/dev/null")
    assert looked(root).nodes == {
        "/dev/nvidia0": DeviceNode("/dev/nvidia0"),
        "/dev/nvidiactl": DeviceNode("/dev/nvidiactl", 1, 3),
    }


def test_programs_firmware_sockets_and_the_hook_are_found_where_they_are(root: Path) -> None:
    put(root, "/usr/bin/nvidia-smi", "/usr/bin/other", f"/lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin")
    put(root, "/run/nvidia-persistenced/socket", "/usr/bin/nvidia-cdi-hook")
    found = looked(root)
    assert found.files == ("/usr/bin/nvidia-smi", f"/lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin")
    assert found.sockets == ("/run/nvidia-persistenced/socket",)
    assert found.cdi_hook == "/usr/bin/nvidia-cdi-hook"


def test_without_the_hook_there_is_none(root: Path) -> None:
    assert looked(root).cdi_hook == ""


def test_display_nodes_are_known_by_the_bus_id_of_their_gpu(root: Path) -> None:
    devices = "/sys/bus/pci/devices/0000:1a:00.0/drm"
    put(root, f"{devices}/card0", f"{devices}/renderD128", f"{devices}/card9")
    put(root, "/dev/dri/card0", "/dev/dri/renderD128")
    assert looked(root).display_nodes == {
        "0000:1a:00.0": (DeviceNode("/dev/dri/card0"), DeviceNode("/dev/dri/renderD128"))
    }


def test_paths_are_said_as_the_host_knows_them(root: Path) -> None:
    assert looked(root).on_host("/dev/nvidia0") == f"{root}/dev/nvidia0"
    assert looked(root, on_host="/").on_host("/dev/nvidia0") == "/dev/nvidia0"


def test_the_gpus_that_answer_are_known_by_their_minor_number(root: Path) -> None:
    assert looked(root).uuids == {0: uuid_of(0)}


def test_an_absent_driver_is_absent_with_nvmls_reason(root: Path) -> None:
    found = DriverRoot(FixedNvml(root, NvmlAbsent("driver not loaded"))).look()
    assert found == DriverAbsent("driver not loaded")


def test_a_driver_without_its_libraries_is_absent_and_says_where_they_were_looked_for(tmp_path: Path) -> None:
    put(tmp_path, f"{DEBIAN}/libcuda.so.1")
    found = DriverRoot(FixedNvml(tmp_path, FACTS)).look()
    assert isinstance(found, DriverAbsent)
    assert found.reason.startswith(
        f"no libraries of driver {VERSION} (*.so.{VERSION}) under {tmp_path} in {LIB64}, {DEBIAN}"
    )
