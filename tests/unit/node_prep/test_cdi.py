"""CDI specs: what a container gets, checked against the rules of the CDI specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slicewire.common.model import ClaimUID, DeviceName
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.cdi import CdiMount, CdiSpec, ContainerEdits, Part, Passthrough
from slicewire.node_prep.core.driver import (
    Capability,
    DeviceNode,
    Driver,
    DriverAbsent,
    SeenGpu,
    SeenPartition,
    VfioDevice,
)
from slicewire.node_prep.core.hardware import FullGpu, Partition
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.kubelet import runtime
from tests.unit.node_prep.builders import a_claim, a_driver, a_plan, uuid_of

CLAIM = ClaimUID("6f570f14-3fb1-4637-b575-002163fbb70f")
GOLDENS = Path(__file__).parents[4] / "shared" / "nvidia-slices"
MIG_CLAIM = ClaimUID("4b6e2cda-89a2-43ee-84e3-3fcd50539712")
MIG = "gpu-0-mig-3g40gb-9-0"
BUS_ID = "0000:1a:00.0"
NO_NODE = (
    f"device gpu-0: PCI device {BUS_ID} has no node under /dev/vfio/devices now;"
    " backendPolicy LegacyOnly does without"
)


def document(
    parts: dict[str, Part], driver: Driver | DriverAbsent | None = None, claim: ClaimUID = CLAIM
) -> dict[str, Any]:
    named = {DeviceName(name): part for name, part in parts.items()}
    made = cdi.claim_spec(claim, named, driver or a_driver())
    assert isinstance(made, CdiSpec), made
    read = json.loads(cdi.encode(made))
    assert isinstance(read, dict)
    runtime.check(read)
    return read


def refused(part: Part, driver: Driver | DriverAbsent, device: str = "gpu-0") -> str:
    made = cdi.claim_spec(CLAIM, {DeviceName(device): part}, driver)
    assert isinstance(made, PrepareRefusal)
    assert made.why is Why.DRIVER
    return made.reason


def whole(*minors: int) -> dict[str, Part]:
    return {f"gpu-{minor}": FullGpu(uuid=uuid_of(minor)) for minor in minors}


def a_partition(uuid: str = "") -> Partition:
    return Partition(gpu=uuid_of(0), profile_id=9, start=0, uuid=uuid)


def a_cut_driver(**more: Any) -> Driver:
    """GPU 0 with one MIG device, as the golden spec has it."""
    seen = SeenPartition(
        uuid="MIG-1", gpu=uuid_of(0), profile_id=9, start=0, gpu_instance=1, compute_instance=0
    )
    given: dict[str, Any] = {
        "partitions": (seen,),
        "capabilities_major": 236,
        "capabilities": {
            "gpu0/mig/gi1/access": Capability(11, 292),
            "gpu0/mig/gi1/ci0/access": Capability(12, 292),
        },
    }
    return a_driver(**(given | more))


def paths(edits: dict[str, Any]) -> list[str]:
    return [node["path"] for node in edits["deviceNodes"]]


def of_device(made: dict[str, Any]) -> dict[str, Any]:
    [device] = made["devices"]
    edits = device["containerEdits"]
    assert isinstance(edits, dict)
    return edits


def in_any_order(spec: dict[str, Any]) -> dict[str, Any]:
    """NVIDIA's YAML leaves out a minor of 0, which ours spells; order is of no meaning but in mounts."""
    for edits in (spec["containerEdits"], of_device(spec)):
        for node in edits["deviceNodes"]:
            node.setdefault("minor", 0)
        edits["deviceNodes"].sort(key=lambda node: str(node["path"]))
    spec["containerEdits"]["mounts"].sort(key=lambda mount: str(mount["hostPath"]))
    return spec


@pytest.mark.skipif(not GOLDENS.exists(), reason="NVIDIA's own specs are not beside this checkout")
@pytest.mark.parametrize(
    ("golden", "claim", "parts"),
    [("cdi-full-gpu.yaml", CLAIM, whole(0)), ("cdi-mig.yaml", MIG_CLAIM, {MIG: a_partition("MIG-1")})],
)
def test_a_container_gets_what_nvidias_driver_gives_it(
    golden: str, claim: ClaimUID, parts: dict[str, Part]
) -> None:
    theirs = yaml.safe_load((GOLDENS / golden).read_text())
    assert in_any_order(document(parts, a_cut_driver(), claim)) == in_any_order(theirs)


def test_a_plan_is_written_by_the_devices_in_it() -> None:
    plan = a_plan(0, 1, claim=a_claim(CLAIM))
    made = cdi.spec(plan, a_driver())
    assert isinstance(made, CdiSpec)
    assert made.kind == "k8s.gpu.nvidia.com/claim"
    assert [device.name for device in made.devices] == [f"{CLAIM}-gpu-0", f"{CLAIM}-gpu-1"]
    assert cdi.device_id(CLAIM, plan.devices[1]) == f"k8s.gpu.nvidia.com/claim={CLAIM}-gpu-1"


def test_the_same_plan_and_node_give_the_same_bytes() -> None:
    made = [cdi.spec(a_plan(0, 1), a_cut_driver()) for _ in range(2)]
    first, second = (cdi.encode(one) for one in made if isinstance(one, CdiSpec))
    assert first == second


def test_each_device_gets_its_own_node_and_all_share_the_control_nodes() -> None:
    made = document(whole(0, 1))
    own = [paths(device["containerEdits"]) for device in made["devices"]]
    assert own == [["/dev/nvidia0"], ["/dev/nvidia1"]]
    assert paths(made["containerEdits"]) == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]


def test_a_gpu_is_where_its_uuid_is_whatever_its_name_says() -> None:
    driver = a_driver(gpus={uuid_of(0): SeenGpu(1)})
    assert paths(of_device(document(whole(0), driver))) == ["/dev/nvidia1"]


def test_the_nodes_of_the_gpus_display_are_added_with_the_links_programs_find_them_by() -> None:
    render = DeviceNode("/dev/dri/renderD128", 226, 128, 0o660)
    by_path = ("/dev/dri/by-path/pci-0000:1a:00.0-render", "../renderD128")
    driver = a_driver(display_nodes={BUS_ID: (render,)}, display_links={BUS_ID: (by_path,)})
    edits = of_device(document(whole(0), driver))
    assert paths(edits) == ["/dev/nvidia0", "/dev/dri/renderD128"]
    assert edits["deviceNodes"][1]["fileMode"] == 0o660
    assert edits["hooks"][0]["args"][1:] == ["create-symlinks", "--link", f"{by_path[1]}::{by_path[0]}"]


def test_a_partition_that_was_made_for_the_claim_is_known_by_its_place() -> None:
    edits = of_device(document({MIG: a_partition()}, a_cut_driver()))
    assert paths(edits) == [
        "/dev/nvidia0",
        "/dev/nvidia-caps/nvidia-cap11",
        "/dev/nvidia-caps/nvidia-cap12",
    ]


def test_a_gpu_for_a_virtual_machine_gets_its_group_and_no_driver_even_where_there_is_none() -> None:
    absent = DriverAbsent(
        "unloaded",
        nodes={path: DeviceNode(path, 10, 196) for path in ("/dev/vfio/vfio", "/dev/vfio/12")},
        vfio={BUS_ID: VfioDevice(group="12")},
    )
    for with_api, expected in ((False, []), (True, ["/dev/vfio/vfio"])):
        part = Passthrough(pci_bus_id=BUS_ID, with_api_device=with_api)
        made = document({"gpu-vfio-0": part}, absent)
        assert paths(of_device(made)) == ["/dev/vfio/12", *expected]
        assert made["containerEdits"] == {"env": ["NVIDIA_VISIBLE_DEVICES=void"]}


@pytest.mark.parametrize(
    ("has_iommufd", "expected"),
    [(True, ["/dev/vfio/devices/vfio3", "/dev/iommu"]), (False, ["/dev/vfio/12", "/dev/vfio/vfio"])],
)
def test_iommufd_is_preferred_where_the_kernel_has_it(has_iommufd: bool, expected: list[str]) -> None:
    present = ["/dev/vfio/12", "/dev/vfio/vfio", "/dev/vfio/devices/vfio3"] + ["/dev/iommu"] * has_iommufd
    driver = a_driver(
        nodes={path: DeviceNode(path, 10, 1) for path in present},
        vfio={BUS_ID: VfioDevice(group="12", name="vfio3")},
    )
    part = Passthrough(pci_bus_id=BUS_ID, prefer_iommufd=True, with_api_device=True)
    assert paths(of_device(document({"gpu-vfio-0": part}, driver))) == expected


def test_what_a_sharing_needs_is_added_to_its_device() -> None:
    pipe = CdiMount(host_path="/mps/pipe", container_path="/tmp/nvidia-mps", options=("rw", "bind"))
    extra = ContainerEdits(env=("CUDA_MPS_PIPE_DIRECTORY=/tmp/nvidia-mps",), mounts=(pipe,))
    made = cdi.spec(a_plan(0, 1), a_driver(), {DeviceName("gpu-1"): extra})
    assert isinstance(made, CdiSpec)
    assert [device.container_edits.mounts for device in made.devices] == [(), (pipe,)]


@pytest.mark.parametrize(
    ("part", "driver", "said"),
    [
        (FullGpu(uuid=uuid_of(0)), DriverAbsent("unloaded"), "the NVIDIA driver is not usable: unloaded"),
        (
            FullGpu(uuid=uuid_of(0)),
            a_driver(gpus={}),
            "the driver does not see device gpu-0 (GPU-00000000) now",
        ),
        (
            FullGpu(uuid=uuid_of(0)),
            a_driver(nodes={}, root="/run/nvidia/driver"),
            "device gpu-0: /run/nvidia/driver/dev/nvidia0 is missing",
        ),
        (
            a_partition("MIG-other"),
            a_cut_driver(),
            "the driver does not see device gpu-0 (MIG-other) now",
        ),
        (
            a_partition(),
            a_cut_driver(partitions=()),
            "the driver does not see device gpu-0 (on GPU-00000000) now",
        ),
        (
            a_partition(),
            a_cut_driver(capabilities_major=None),
            "device gpu-0 needs nvidia-caps, which /proc/devices does not list",
        ),
        (
            a_partition(),
            a_cut_driver(capabilities={"gpu0/mig/gi1/access": Capability(11, 292)}),
            "device gpu-0: /proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci0/access cannot be read",
        ),
        (
            Passthrough(pci_bus_id=BUS_ID),
            a_driver(),
            f"device gpu-0: PCI device {BUS_ID} is in no IOMMU group now",
        ),
        (
            Passthrough(pci_bus_id=BUS_ID),
            a_driver(vfio={BUS_ID: VfioDevice("12")}),
            "device gpu-0: /dev/vfio/12 is missing",
        ),
        (
            Passthrough(pci_bus_id=BUS_ID, prefer_iommufd=True),
            a_driver(vfio={BUS_ID: VfioDevice("12")}, nodes={"/dev/iommu": DeviceNode("/dev/iommu")}),
            NO_NODE,
        ),
    ],
)
def test_what_is_not_there_is_refused_and_named(part: Part, driver: Driver | DriverAbsent, said: str) -> None:
    assert refused(part, driver) == said
