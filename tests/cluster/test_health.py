"""A real kubelet watches how the devices fare and tells it in the status of their pods."""

from __future__ import annotations

import json
import time

import pytest

from tests.cluster.kubectl import SECONDS, Kubectl, example
from tests.cluster.slicewire import Parts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def health_of(kubectl: Kubectl, pod: str) -> list[str]:
    status = json.loads(kubectl("get", "pod", pod, "-o", "json"))["status"]
    return [
        resource["health"]
        for container in status.get("containerStatuses", ())
        for allocated in container.get("allocatedResourcesStatus", ())
        for resource in allocated["resources"]
    ]


def test_the_status_of_a_pod_says_that_its_gpu_is_healthy(parts: Parts, kubectl: Kubectl) -> None:
    assert parts.daemons["node-prep"].pid
    kubectl.apply(example("one-gpu-per-pod", lambda pod: None))
    kubectl.await_pods("trainer-1", "trainer-2")
    ends = time.monotonic() + SECONDS
    while (told := health_of(kubectl, "trainer-1")) != ["Healthy"]:
        assert time.monotonic() < ends, told
        time.sleep(0.5)
