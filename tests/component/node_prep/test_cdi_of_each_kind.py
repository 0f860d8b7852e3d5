"""From the files of a simulated node to the container: the CDI spec of each kind of device."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.model import ClaimUID, DeviceName
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.node_prep import files
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.cdi import CdiSpec, Part, Passthrough
from slicewire.node_prep.core.hardware import FullGpu, Partition
from slicewire.node_prep.driverroot import DriverRoot, Places
from tests.kubelet import runtime
from tests.kubelet.runtime import Container

pytestmark = pytest.mark.slow

CLAIM = ClaimUID("6f570f14-3fb1-4637-b575-002163fbb70f")
DEVICE = DeviceName("some-device")
HERE = Places()


@pytest.fixture
def nvml(tmp_path: Path) -> SimulatedNvml:
    room = SimulatedNvml(tmp_path / "node-a" / "state.json", new_node("node-a", "h100", 2))
    room.look()
    return room


def gpus(nvml: SimulatedNvml) -> NodeFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    return facts


def container(nvml: SimulatedNvml, part: Part, cdi_root: Path, places: Places = HERE) -> Container:
    made = cdi.claim_spec(CLAIM, {DEVICE: part}, DriverRoot(nvml, places=places).look())
    assert isinstance(made, CdiSpec), made
    files.write(cdi_root / cdi.file_name(CLAIM), cdi.encode(made), 0o644)
    return runtime.container([f"{cdi.KIND}={CLAIM}-{DEVICE}"], cdi_root)


def test_a_whole_gpu_and_the_driver(nvml: SimulatedNvml, tmp_path: Path) -> None:
    made = container(nvml, FullGpu(uuid=gpus(nvml).gpus[1].uuid), tmp_path / "cdi")
    assert [path for path in made.device_nodes if path[-1].isdigit()] == ["/dev/nvidia1"]
    assert {
        "/usr/bin/nvidia-smi",
        "/usr/bin/nvidia-cuda-mps-server",
        "/lib/firmware/nvidia/550.163.01/gsp_ga10x.bin",
        "/usr/lib64/libcuda.so.1",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01",
    } <= set(made.mounts)
    assert all(Path(mount["hostPath"]).is_file() for mount in made.mounts.values())


def test_the_nodes_are_such_that_a_runtime_can_make_them(nvml: SimulatedNvml, tmp_path: Path) -> None:
    if not (nvml.driver_root / "dev/nvidia0").is_char_device():
        pytest.skip("character devices cannot be made here: it takes root and CAP_MKNOD")
    made = container(nvml, FullGpu(uuid=gpus(nvml).gpus[0].uuid), tmp_path / "cdi")
    assert {(node["major"], node["minor"], node["fileMode"]) for node in made.device_nodes.values()} == {
        (1, 3, 0o666)
    }


def test_a_partition_with_the_nodes_of_its_capabilities(nvml: SimulatedNvml, tmp_path: Path) -> None:
    gpu = gpus(nvml).gpus[1].uuid
    nvml.set_mig_mode(gpu, enabled=True)
    instance = nvml.create_gpu_instance(gpu, 9, 4)
    nvml.create_compute_instance(gpu, instance.id, 2)
    made = container(nvml, Partition(gpu=gpu, profile_id=9, start=4), tmp_path / "cdi")
    capabilities = {
        path: (node["type"], node["major"], node["minor"], node["fileMode"])
        for path, node in made.device_nodes.items()
        if "nvidia-caps" in path
    }
    assert capabilities == {
        "/dev/nvidia-caps/nvidia-cap147": ("c", 236, 147, 0o444),
        "/dev/nvidia-caps/nvidia-cap148": ("c", 236, 148, 0o444),
    }
    assert "/dev/nvidia1" in made.device_nodes


@pytest.mark.parametrize(
    ("prefer_iommufd", "expected"),
    [(False, {"/dev/vfio/1", "/dev/vfio/vfio"}), (True, {"/dev/vfio/devices/vfio1", "/dev/iommu"})],
)
def test_a_gpu_for_a_virtual_machine_once_vfio_has_it(
    nvml: SimulatedNvml, tmp_path: Path, prefer_iommufd: bool, expected: set[str]
) -> None:
    [bus_id] = [path.name for path in (nvml.sysfs_root / "sys/bus/pci/devices").iterdir() if _is_gpu_1(path)]
    pci = nvml.sysfs_root / "sys/bus/pci"
    nvml.let_go()
    (pci / "devices" / bus_id / "driver_override").write_text("vfio-pci")
    (pci / "drivers/nvidia/unbind").write_text(bus_id)
    (pci / "drivers/vfio-pci/bind").write_text(bus_id)
    part = Passthrough(pci_bus_id=bus_id, prefer_iommufd=prefer_iommufd, with_api_device=True)
    made = container(nvml, part, tmp_path / "cdi")
    assert set(made.device_nodes) == expected
    assert made.mounts == {}


def _is_gpu_1(path: Path) -> bool:
    return (path / "iommu_group").readlink().name == "1"


def test_a_driver_root_elsewhere_on_the_host(nvml: SimulatedNvml, tmp_path: Path) -> None:
    places = Places(driver_root="/run/nvidia/driver", cdi_hook="/usr/bin/nvidia-cdi-hook")
    made = container(nvml, FullGpu(uuid=gpus(nvml).gpus[0].uuid), tmp_path / "cdi", places)
    assert {str(mount["hostPath"])[:19] for mount in made.mounts.values()} == {"/run/nvidia/driver/"}
    assert made.device_nodes["/dev/nvidia0"]["hostPath"] == "/run/nvidia/driver/dev/nvidia0"
    assert {hook["path"] for hook in made.hooks} == {"/usr/bin/nvidia-cdi-hook"}
