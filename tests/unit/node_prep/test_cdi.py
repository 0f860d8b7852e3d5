"""CDI specs: what a container gets, checked against the rules of the CDI specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from slicewire.common.model import ClaimUID
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.cdi import CdiSpec, spec
from slicewire.node_prep.core.driver import DeviceNode, Driver, Link
from slicewire.node_prep.core.plan import FullGpu, PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.kubelet import runtime
from tests.unit.node_prep.builders import VERSION, a_claim, a_driver, a_plan

CLAIM = "6f570f14-3fb1-4637-b575-002163fbb70f"
GOLDEN = Path(__file__).parents[4] / "shared" / "nvidia-slices" / "cdi-full-gpu.yaml"


def document(driver: Driver | None = None, plan: PreparePlan | None = None) -> dict[str, Any]:
    made = spec(plan or a_plan(0, claim=a_claim(CLAIM)), driver or a_driver())
    assert isinstance(made, CdiSpec)
    read = json.loads(cdi.encode(made))
    assert isinstance(read, dict)
    runtime.check(read)
    return read


def paths(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["path"] for node in nodes]


@pytest.mark.skipif(not GOLDEN.exists(), reason="NVIDIA's own specs are not beside this checkout")
def test_a_whole_gpu_gets_what_nvidias_driver_gives_it() -> None:
    """Their YAML leaves out a minor of 0, which ours spells; order is of no meaning but in mounts."""
    theirs = yaml.safe_load(GOLDEN.read_text())
    ours = document()
    for one in (ours, theirs):
        edits = one["containerEdits"]
        for nodes in (edits["deviceNodes"], one["devices"][0]["containerEdits"]["deviceNodes"]):
            for node in nodes:
                node.setdefault("minor", 0)
            nodes.sort(key=lambda node: str(node["path"]))
        edits["mounts"].sort(key=lambda mount: str(mount["hostPath"]))
    assert ours == theirs


def test_the_device_is_named_after_claim_and_device_and_found_by_its_id() -> None:
    plan = a_plan(0, 1, claim=a_claim(CLAIM))
    made = document(plan=plan)
    assert made["kind"] == "k8s.gpu.nvidia.com/claim"
    assert [device["name"] for device in made["devices"]] == [f"{CLAIM}-gpu-0", f"{CLAIM}-gpu-1"]
    assert cdi.device_id(ClaimUID(CLAIM), plan.devices[1]) == f"k8s.gpu.nvidia.com/claim={CLAIM}-gpu-1"


def test_the_version_is_the_lowest_that_suffices() -> None:
    made = document()
    made["cdiVersion"] = "0.4.0"
    with pytest.raises(runtime.BadSpec, match=r"0\.4\.0 is lower than the content needs"):
        runtime.check(made)


def test_each_device_gets_its_own_node_and_all_share_the_control_nodes() -> None:
    made = document(plan=a_plan(0, 1))
    own = [paths(device["containerEdits"]["deviceNodes"]) for device in made["devices"]]
    assert own == [["/dev/nvidia0"], ["/dev/nvidia1"]]
    assert paths(made["containerEdits"]["deviceNodes"]) == [
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools",
    ]


def test_the_nodes_of_the_gpus_display_are_added_by_its_bus_id() -> None:
    plan = a_plan(0)
    hardware = FullGpu(minor=0, pci_bus_id="0000:1a:00.0")
    planned = msgspec.structs.replace(plan.devices[0], hardware=hardware)
    plan = msgspec.structs.replace(plan, devices=(planned,))
    render = DeviceNode("/dev/dri/renderD128", 226, 128)
    made = document(a_driver(display_nodes={"0000:1a:00.0": (render,)}), plan)
    nodes = made["devices"][0]["containerEdits"]["deviceNodes"]
    assert paths(nodes) == ["/dev/nvidia0", "/dev/dri/renderD128"]


def test_paths_on_the_host_are_below_the_driver_root() -> None:
    made = document(a_driver(root="/run/nvidia/driver"))
    edits = made["containerEdits"]
    assert {mount["hostPath"].removeprefix("/run/nvidia/driver") for mount in edits["mounts"]} == {
        mount["containerPath"] for mount in edits["mounts"]
    }
    assert (
        made["devices"][0]["containerEdits"]["deviceNodes"][0]["hostPath"] == "/run/nvidia/driver/dev/nvidia0"
    )
    assert {hook["path"] for hook in edits["hooks"]} == {"/run/nvidia/driver/usr/bin/nvidia-cdi-hook"}


def test_a_node_without_numbers_leaves_them_to_the_runtime() -> None:
    nodes = {"/dev/nvidia0": DeviceNode("/dev/nvidia0")}
    [node] = document(a_driver(nodes=nodes))["devices"][0]["containerEdits"]["deviceNodes"]
    assert {"major", "minor", "type"}.isdisjoint(node)


def test_without_the_hook_the_libraries_are_mounted_under_the_names_programs_load() -> None:
    cuda = f"/usr/lib64/libcuda.so.{VERSION}"
    made = document(a_driver(cdi_hook="", links=(Link("/usr/lib64/libcuda.so.1", cuda, cuda),)))
    assert "hooks" not in made["containerEdits"]
    mounts = {one["containerPath"]: one["hostPath"] for one in made["containerEdits"]["mounts"]}
    assert mounts["/usr/lib64/libcuda.so.1"] == cuda


def test_a_socket_is_mounted_so_that_nothing_in_it_runs() -> None:
    [mount] = document(a_driver(files=(), libraries=(), sockets=("/run/nvidia-persistenced/socket",)))[
        "containerEdits"
    ]["mounts"]
    assert "noexec" in mount["options"]


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (a_driver(uuids={}), "the driver does not see device gpu-0 now"),
        (
            a_driver(uuids={0: "GPU-other"}),
            "device gpu-0 was GPU-00000000 when it was allocated and is GPU-other now",
        ),
        (a_driver(nodes={}), "/dev/nvidia0 is missing"),
        (a_driver(nodes={}, root="/run/nvidia/driver"), "/run/nvidia/driver/dev/nvidia0 is missing"),
    ],
)
def test_a_gpu_that_is_not_what_was_allocated_is_refused(driver: Driver, said: str) -> None:
    assert spec(a_plan(0), driver) == PrepareRefusal(Why.DRIVER, said)


def test_a_file_of_ours_is_known_by_its_name() -> None:
    name = cdi.file_name(ClaimUID(CLAIM))
    assert name == f"k8s.gpu.nvidia.com-claim_{CLAIM}.json"
    assert cdi.claim_of(name) == CLAIM
    for other in (f"k8s.gpu.nvidia.com-claim_{CLAIM}.yaml", "nvidia.json", f".{name}", f"{name}.tmp"):
        assert cdi.claim_of(other) is None
