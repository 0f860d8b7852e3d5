"""A pod that knows nothing of claims asks for GPUs as it always has, and gets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import plain_pod
from tests.cluster.slicewire import GPUS, Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def pod_with(name: str, gpus: int) -> dict[str, Any]:
    pod = plain_pod(name)
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return pod


def test_a_pod_with_gpus_in_its_limits_gets_as_many(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([pod_with("one", 1), pod_with("two", 2)])
    kubectl.await_pods("one", "two")
    one, two = nodes_in(kubectl, "one"), nodes_in(kubectl, "two")
    assert (len(one), len(two), len({*one, *two})) == (1, 2, 3)


def test_a_pod_whose_limits_are_more_than_is_free_waits_until_it_is(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([pod_with("first", 1)])
    kubectl.await_pods("first")
    kubectl.apply([pod_with("all", GPUS)])
    kubectl.await_unschedulable("all")
    kubectl("delete", "pod", "first")
    kubectl.await_pods("all")
    assert len(nodes_in(kubectl, "all")) == GPUS
