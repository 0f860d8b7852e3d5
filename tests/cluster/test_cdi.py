"""A container has everything that the CDI files of its claim say, as containerd read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.places import Home
from tests.cluster.pods import pod_of, template
from tests.cluster.slicewire import Hardware, Parts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
TEMPLATES = {
    "gpu": template("gpu", "gpu.nvidia.com"),
    "mig": template("mig", "mig.nvidia.com", "2g.20gb"),
}


@pytest.fixture
def hardware() -> Hardware:
    policy = """
apiVersion: slicewire.dev/v1alpha1
kind: NodePolicy
default: {offer: [gpu, mig], partitions: dynamic}
"""
    return Hardware(gpus=1, policy=policy)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_container_has_the_environment_devices_and_mounts_of_its_cdi_files(
    parts: Parts, kubectl: Kubectl, home: Home, kind: str
) -> None:
    kubectl.apply([TEMPLATES[kind], pod_of("curious", kind)])
    kubectl.await_pods("curious")
    inside = ("exec", "curious", "--")
    edits = list(edits_of(home))
    environment = {each for edit in edits for each in edit.get("env", ())}
    assert "NVIDIA_VISIBLE_DEVICES=void" in environment
    assert environment <= set(kubectl(*inside, "env").splitlines())
    devices = [node["path"] for edit in edits for node in edit.get("deviceNodes", ())]
    kinds = kubectl(*inside, "stat", "-c", "%F", *devices).splitlines()
    assert kinds == ["character special file"] * len(devices)
    there = kubectl(*inside, "find", "/dev", "-path", "/dev/nvidia*", "-type", "c").split()
    assert sorted(there) == sorted(path for path in devices if path.startswith("/dev/nvidia"))
    assert any(path.startswith("/dev/nvidia-caps/") for path in devices) is (kind == "mig")
    mounts = {mount["containerPath"] for edit in edits for mount in edit.get("mounts", ())}
    assert mounts
    assert mounts <= mounted(kubectl, "curious")


def test_a_container_may_read_what_its_device_is(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([TEMPLATES["mig"], pod_of("curious", "mig")])
    kubectl.await_pods("curious")
    (claim,) = kubectl.get("resourceclaims")["items"]
    (entry,) = kubectl.get("pod", "curious")["spec"]["resourceClaims"]
    place = f"/var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/{entry['name']}/device"
    told = json.loads(kubectl("exec", "curious", "--", "cat", f"{place}/gpu.nvidia.com-metadata.json"))
    (device,) = told["requests"][0]["devices"]
    (given,) = claim["status"]["allocation"]["devices"]["results"]
    assert device["name"] == given["device"]
    assert device["attributes"]["profile"] == {"string": "2g.20gb"}


def edits_of(home: Home) -> Iterator[dict[str, Any]]:
    """Of each file and each device in it: on this node there is one claim."""
    for path in home.cdi.iterdir():
        spec = json.loads(path.read_text())
        yield spec.get("containerEdits", {})
        for device in spec["devices"]:
            yield device["containerEdits"]


def mounted(kubectl: Kubectl, pod: str) -> set[str]:
    lines = kubectl("exec", pod, "--", "cat", "/proc/mounts").splitlines()
    return {line.split()[1] for line in lines}
