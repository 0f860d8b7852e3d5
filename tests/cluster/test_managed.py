"""A node whose GPUs Slicewire allocates: kube-scheduler keeps off, gated pods get in."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import Kubectl, example, gated
from tests.cluster.places import NODE
from tests.cluster.slicewire import Parts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
MANAGED = ("label", "node", NODE, "slicewire.dev/allocation=slicewire")


def test_a_gated_pod_is_allocated_by_slicewire_and_runs(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    kubectl.apply(example("one-gpu-per-pod", gated))
    kubectl.await_pods("trainer-1", "trainer-2")
    for claim in kubectl.get("resourceclaims")["items"]:
        (reserved,) = claim["status"]["reservedFor"]
        assert claim["metadata"]["name"].startswith(reserved["name"])


def test_a_pod_without_the_gate_is_kept_off_managed_gpus(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    kubectl.apply(example("big-gpu", gated))
    kubectl.await_pods("large-model")  # the node is known as managed by now
    kubectl.apply(example("one-gpu-per-pod"))
    unschedulable = "--for=jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable"
    kubectl("wait", unschedulable, "pod/trainer-1", "--timeout=60s")


def test_a_pod_whose_second_claim_cannot_be_met_holds_nothing(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    documents = example("all-gpus-of-a-node", gated)
    pod = documents[1]
    pod["spec"]["resourceClaims"].append({"name": "more", "resourceClaimTemplateName": "one-gpu"})
    one_gpu = example("one-gpu-per-pod", gated)
    kubectl.apply([*documents, one_gpu[0]])
    kubectl.apply(one_gpu)
    kubectl.await_pods("trainer-1", "trainer-2")
    held = [claim for claim in kubectl.get("resourceclaims")["items"] if claim["status"].get("allocation")]
    assert sorted(claim["status"]["reservedFor"][0]["name"] for claim in held) == ["trainer-1", "trainer-2"]
    assert kubectl.get("pod", "whole-node")["spec"]["schedulingGates"] == [
        {"name": "slicewire.dev/allocation"}
    ]
