"""A GPU in four shares: four pods on it at once, each with a claim of its own, and no fifth."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import pod_of, template
from tests.cluster.slicewire import Hardware, Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
SHARERS = [f"sharer-{number}" for number in range(4)]


@pytest.fixture
def hardware() -> Hardware:
    policy = """
apiVersion: slicewire.dev/v1alpha1
kind: NodePolicy
default: {shares: 4}
"""
    return Hardware(gpus=1, policy=policy)


def test_four_pods_share_a_gpu_and_the_fifth_waits_until_one_ends(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([template("share", "gpu.nvidia.com"), *(pod_of(name, "share") for name in SHARERS)])
    kubectl.await_pods(*SHARERS)
    assert [nodes_in(kubectl, name) for name in SHARERS] == [["nvidia0"]] * 4
    kubectl.apply([pod_of("fifth", "share")])
    kubectl.await_unschedulable("fifth")
    kubectl("delete", "pod", SHARERS[0])
    kubectl.await_pods("fifth")
    assert nodes_in(kubectl, "fifth") == ["nvidia0"]


def test_each_share_is_an_allocation_of_its_own_that_says_what_it_takes(
    parts: Parts, kubectl: Kubectl
) -> None:
    kubectl.apply([template("share", "gpu.nvidia.com"), *(pod_of(name, "share") for name in SHARERS)])
    kubectl.await_pods(*SHARERS)
    given = [
        result
        for claim in kubectl.get("resourceclaims")["items"]
        for result in claim["status"]["allocation"]["devices"]["results"]
    ]
    assert len({result["shareID"] for result in given}) == 4
    assert [result["consumedCapacity"]["shares"] for result in given] == ["1"] * 4
