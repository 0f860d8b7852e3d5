"""Slicewire where NVIDIA's driver was before and has left its traces: classes, slices, dead sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import installing
from tests.cluster.installing import KIND, await_rolled_out, removed
from tests.cluster.kubectl import Kubectl, example
from tests.cluster.places import NODE, Cache, CannotRun, Home
from tests.cluster.polling import comes_true

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
DRIVER = "gpu.nvidia.com"
ANOTHER_RULE = "device.driver == 'gpu.nvidia.com'"


@pytest.fixture(scope="module")
def leftovers(home: Home, kubectl: Kubectl) -> Iterator[None]:
    """As a driver that was killed, and a chart that was not uninstalled, would leave them."""
    removed(kubectl)
    try:
        with installing.ready(Cache(), home):
            for document in (a_class(), a_slice()):
                kubectl("create", "-f", "-", "--field-manager=helm", given=json.dumps(document))
            for folder, name in ((home.plugins / DRIVER, "dra.sock"), (home.registry, f"{DRIVER}-reg.sock")):
                folder.mkdir(parents=True, exist_ok=True)
                dead_socket(folder / name)
            yield
            removed(kubectl)
    except CannotRun as reason:
        pytest.skip(f"nothing to install: {reason}")
    finally:
        installing.classes_of_the_examples(kubectl)


def a_class() -> dict[str, Any]:
    spec = {"selectors": [{"cel": {"expression": ANOTHER_RULE}}]}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": DRIVER},
        "spec": spec,
    }


def a_slice() -> dict[str, Any]:
    pool = {"name": NODE, "generation": 7, "resourceSliceCount": 1}
    devices = [{"name": f"gpu-{number}"} for number in range(2)]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{NODE}-{DRIVER}-left"},
        "spec": {"driver": DRIVER, "nodeName": NODE, "pool": pool, "devices": devices},
    }


def dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_a_class_of_the_chart_that_says_otherwise_is_a_conflict_and_apply_takes_it(
    kubectl: Kubectl, leftovers: None
) -> None:
    server_side = ("apply", "--server-side", "--dry-run=server", "-k", KIND)
    assert 'conflict with "helm"' in kubectl.tried(*server_side).stderr
    kubectl("apply", "-k", KIND)
    selectors = kubectl.get("deviceclass", DRIVER)["spec"]["selectors"]
    assert selectors != a_class()["spec"]["selectors"]


def test_its_slices_give_way_and_pods_have_gpus_beside_its_dead_sockets(
    kubectl: Kubectl, leftovers: None
) -> None:
    kubectl("apply", "-k", KIND)
    await_rolled_out(kubectl)

    def is_ours() -> bool:
        slices = kubectl.get("resourceslices")["items"]
        return [len(each["spec"]["devices"]) for each in slices] == [8]

    assert comes_true(is_ours, 30), kubectl("get", "resourceslices", "-o", "yaml")
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    kubectl("delete", "pods,resourceclaimtemplates", "--all", "--timeout=60s")
