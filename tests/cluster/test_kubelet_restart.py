"""A kubelet that is restarted finds its pods, their claims and the driver again."""

from __future__ import annotations

import pytest

from tests.cluster import node
from tests.cluster.daemons import wait
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import Cache, Home
from tests.cluster.pods import pod_of, template
from tests.cluster.slicewire import Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
TEMPLATE = template("one-gpu", "gpu.nvidia.com")


def test_a_pod_runs_on_through_a_restart_of_the_kubelet_and_gives_its_gpu_back_at_its_end(
    parts: Parts, kubectl: Kubectl, home: Home
) -> None:
    kubectl.apply([TEMPLATE, pod_of("long", "one-gpu")])
    kubectl.await_pods("long")
    before, prepared = container_of(kubectl, "long"), sorted(home.cdi.iterdir())
    node.restart_kubelet(Cache(), home)
    kubectl.apply([pod_of("new", "one-gpu")])
    kubectl.await_pods("new", "long")  # the driver is registered with the new kubelet
    assert container_of(kubectl, "long") == before
    assert nodes_in(kubectl, "long") != nodes_in(kubectl, "new")
    kubectl("delete", "pod", "long")
    wait(
        "its CDI files are gone",
        lambda: not any(each.exists() for each in prepared),
        parts.daemons["node-prep"],
    )


def test_a_pod_that_is_deleted_while_the_kubelet_is_down_gives_its_gpu_back(
    parts: Parts, kubectl: Kubectl, home: Home
) -> None:
    kubectl.apply([TEMPLATE, pod_of("long", "one-gpu")])
    kubectl.await_pods("long")
    _, kubelet = node.daemons(home)
    kubelet.kill()
    kubectl("delete", "pod", "long", "--wait=false")
    assert list(home.cdi.iterdir())
    node.start(Cache(), home)
    kubectl.await_gone("resourceclaims", "--all")
    wait("its CDI files are gone", lambda: not list(home.cdi.iterdir()), parts.daemons["node-prep"])


def container_of(kubectl: Kubectl, pod: str) -> tuple[str, int]:
    (status,) = kubectl.get("pod", pod)["status"]["containerStatuses"]
    return status["containerID"], status["restartCount"]
