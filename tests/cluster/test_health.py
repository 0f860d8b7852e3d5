"""A real kubelet watches how the devices fare and tells it in the status of their pods."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import SECONDS, Kubectl, example
from tests.cluster.polling import comes_true
from tests.cluster.slicewire import Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def health_of(kubectl: Kubectl, pod: str) -> list[str]:
    status = kubectl.get("pod", pod)["status"]
    return [
        resource["health"]
        for container in status.get("containerStatuses", ())
        for allocated in container.get("allocatedResourcesStatus", ())
        for resource in allocated["resources"]
    ]


def await_health(kubectl: Kubectl, pod: str, health: str) -> None:
    assert comes_true(lambda: health_of(kubectl, pod) == [health], SECONDS), health_of(kubectl, pod)


def test_the_status_of_a_pod_says_whether_its_gpu_is_healthy(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    await_health(kubectl, "trainer-1", "Healthy")
    (gpu,) = nodes_in(kubectl, "trainer-1")
    parts.befall(f"gpu-{gpu.removeprefix('nvidia')}", "lost")
    await_health(kubectl, "trainer-1", "Unhealthy")
    assert health_of(kubectl, "trainer-2") == ["Healthy"]
