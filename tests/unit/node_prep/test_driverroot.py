"""Reading what a driver has put on a node, from trees made for the purpose."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent
from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance, Mig, Placement
from slicewire.common.nvml.port import Event
from slicewire.node_prep.core.driver import (
    DeviceNode,
    Driver,
    DriverAbsent,
    Link,
    SeenGpu,
    SeenPartition,
    VfioDevice,
)
from slicewire.node_prep.driverroot import DriverRoot, Places
from tests.unit.node_prep.builders import VERSION, uuid_of

LIB64, DEBIAN = "/usr/lib64", "/usr/lib/x86_64-linux-gnu"


SOON_SECONDS = 10.0


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


class SlowNvml(FixedNvml):
    """A look ends when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, FACTS)
        self.looks, self.may_end = 0, threading.Event()

    def look(self) -> NodeFacts | NvmlAbsent:
        self.looks += 1
        assert self.may_end.wait(SOON_SECONDS)
        return super().look()


class Ticks:
    """A clock that says how often it was asked."""

    def __init__(self) -> None:
        self._now = itertools.count()
        self.asked = threading.Semaphore(0)

    def __call__(self) -> float:
        now = next(self._now)
        self.asked.release()
        return float(now)


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
    at = root / path.lstrip("/")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(target)


def write(root: Path, path: str, text: str) -> None:
    put(root, path)
    (root / path.lstrip("/")).write_text(text)


def looked(root: Path, places: Places | None = None, facts: NodeFacts = FACTS) -> Driver:
    found = DriverRoot(FixedNvml(root, facts), places=places or Places(host_root=root)).look()
    assert isinstance(found, Driver)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, f"{LIB64}/libcuda.so.{VERSION}", f"{LIB64}/libnvidia-ml.so.{VERSION}")
    put(tmp_path, "/dev/nvidiactl")
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


def test_opticalflow_is_loaded_without_a_version_too(root: Path) -> None:
    library = f"{LIB64}/libnvidia-opticalflow.so.{VERSION}"
    put(root, library)
    link(root, f"{LIB64}/libnvidia-opticalflow.so.1", f"libnvidia-opticalflow.so.{VERSION}")
    made = Link(f"{LIB64}/libnvidia-opticalflow.so", "libnvidia-opticalflow.so.1", library)
    assert made in looked(root).links


def test_libraries_of_the_driver_with_versions_of_their_own_are_found(root: Path) -> None:
    put(root, f"{LIB64}/libnvidia-egl-gbm.so.1.1.0", f"{LIB64}/libnvidia-nvvm70.so.4")
    link(root, f"{LIB64}/libnvidia-egl-gbm.so.1.1", "libnvidia-egl-gbm.so.1.1.0")
    names = [path.rpartition("/")[2] for path in looked(root).libraries]
    assert names[2:] == ["libnvidia-nvvm70.so.4", "libnvidia-egl-gbm.so.1.1.0"]


def test_programs_firmware_sockets_and_the_hook_are_found_where_they_are(root: Path) -> None:
    put(root, "/usr/bin/nvidia-smi", "/bin/nvidia-smi", "/usr/bin/other", "/usr/sbin/nvidia-persistenced")
    put(root, f"/lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin", f"/lib/firmware/nvidia/{VERSION}/other.bin")
    put(root, "/run/nvidia-persistenced/socket", "/usr/bin/nvidia-cdi-hook")
    put(root, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json")
    found = looked(root)
    assert found.files == (
        "/usr/bin/nvidia-smi",
        "/usr/sbin/nvidia-persistenced",
        f"/lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin",
        "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
    )
    assert found.sockets == ("/run/nvidia-persistenced/socket",)
    assert found.cdi_hook == f"{root}/usr/bin/nvidia-cdi-hook"


def test_updated_firmware_comes_first_as_in_the_kernel(root: Path) -> None:
    name = f"nvidia/{VERSION}/gsp_ga10x.bin"
    put(root, f"/lib/firmware/updates/{name}", f"/lib/firmware/{name}")
    assert looked(root).files == (f"/lib/firmware/updates/{name}",)


@pytest.mark.parametrize(
    ("told", "installed", "used"),
    [
        ("", False, ""),
        ("/opt/nvidia-cdi-hook", False, "/opt/nvidia-cdi-hook"),
        ("/opt/nvidia-cdi-hook", True, "/opt/nvidia-cdi-hook"),
        ("none", True, ""),
    ],
)
def test_the_hook_may_be_told_or_done_without(root: Path, told: str, installed: bool, used: str) -> None:
    put(root, *["/usr/bin/nvidia-cdi-hook"] * installed)
    assert looked(root, Places(cdi_hook=told)).cdi_hook == used


def test_paths_are_said_as_the_host_knows_them(root: Path) -> None:
    assert looked(root).on_host("/usr/bin/x") == f"{root}/usr/bin/x"
    found = looked(root, Places(driver_root="/run/nvidia/driver"))
    assert found.on_host("/usr/bin/x") == "/run/nvidia/driver/usr/bin/x"
    assert found.nodes["/dev/nvidiactl"].host_path == "/run/nvidia/driver/dev/nvidiactl"


def test_a_driver_without_a_dev_of_its_own_uses_the_hosts(root: Path, tmp_path: Path) -> None:
    (root / "dev/nvidiactl").unlink()
    put(tmp_path / "host", "/dev/nvidia0")
    found = looked(root, Places(driver_root="/opt/nvidia", host_root=tmp_path / "host"))
    assert found.nodes == {"/dev/nvidia0": DeviceNode("/dev/nvidia0", host_path="/dev/nvidia0")}


def test_the_gpus_that_answer_are_known_by_their_uuid(root: Path) -> None:
    assert looked(root).gpus == {uuid_of(0): SeenGpu(0, "0000:00:00.0")}


def test_partitions_are_known_by_where_they_are(root: Path) -> None:
    inside = ComputeInstance(id=0, profile_id=0, uuid="MIG-1")
    instance = GpuInstance(id=3, profile_id=19, placement=Placement(2, 1), compute_instances=(inside,))
    empty = GpuInstance(id=4, profile_id=19, placement=Placement(3, 1))
    mig = Mig(enabled=True, pending=True, instances=(instance, empty))
    gpu = msgspec.structs.replace(a_gpu(0), mig=mig)
    assert looked(root, facts=msgspec.structs.replace(FACTS, gpus=(gpu,))).partitions == (
        SeenPartition(
            uuid="MIG-1", gpu=uuid_of(0), profile_id=19, start=2, gpu_instance=3, compute_instance=0
        ),
    )


def test_who_asks_while_another_looks_shares_the_next_look(root: Path) -> None:
    nvml, clock = SlowNvml(root), Ticks()
    driver = DriverRoot(nvml, clock=clock)
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(driver.look)
        for _ in ("asked", "begun"):
            assert clock.asked.acquire(timeout=SOON_SECONDS)
        others = [threads.submit(driver.look) for _ in range(4)]
        for _ in others:
            assert clock.asked.acquire(timeout=SOON_SECONDS)
        nvml.may_end.set()
        found = {id(one.result()) for one in others}
        assert len(found) == 1
        assert id(first.result()) not in found
    assert nvml.looks == 2
    driver.look()
    assert nvml.looks == 3


def test_an_absent_driver_leaves_what_the_kernel_shows(root: Path) -> None:
    put(root, "/dev/vfio/12")
    link(root, "/sys/bus/pci/devices/0000:1a:00.0/iommu_group", "../../../kernel/iommu_groups/12")
    write(root, "/sys/bus/pci/devices/0000:1a:00.0/vendor", "0x10de\n")
    found = DriverRoot(FixedNvml(root, NvmlAbsent("driver not loaded"))).look()
    assert isinstance(found, DriverAbsent)
    assert found.reason == "driver not loaded"
    assert found.nodes.keys() == {"/dev/nvidiactl", "/dev/vfio/12"}
    assert found.vfio == {"0000:1a:00.0": VfioDevice(group="12")}


def test_a_root_that_cannot_be_read_is_an_absent_driver(root: Path) -> None:
    (root / "dev/nvidia0").symlink_to("nvidia0")
    found = DriverRoot(FixedNvml(root, FACTS)).look()
    assert isinstance(found, DriverAbsent)
    assert found.reason.startswith(f"reading the driver root {root}: ")


def test_a_driver_without_its_libraries_is_absent_and_says_where_they_were_looked_for(tmp_path: Path) -> None:
    put(tmp_path, f"{DEBIAN}/libcuda.so.1")
    found = DriverRoot(FixedNvml(tmp_path, FACTS), places=Places(host_root=tmp_path)).look()
    assert isinstance(found, DriverAbsent)
    assert found.reason.startswith(
        f"no libraries of driver {VERSION} (*.so.{VERSION}) under {tmp_path} in {LIB64}, {DEBIAN}"
    )
