"""What befalls a GPU keeps new pods off it and, where the policy says so, ends those that have it."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import SECONDS, Kubectl
from tests.cluster.pods import pod_of, template
from tests.cluster.slicewire import Hardware, Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
TEMPLATE = template("one-gpu", "gpu.nvidia.com")


@pytest.fixture
def hardware() -> Hardware:
    policy = """
apiVersion: slicewire.dev/v1alpha1
kind: NodePolicy
health:
  xid: {effects: {74: NoExecute}, quietSeconds: 1}
"""
    return Hardware(gpus=2, policy=policy)


def befall(parts: Parts, kubectl: Kubectl, gpu: str, fault: str) -> None:
    """Until Kubernetes has the taints that come of it."""
    parts.befall(gpu, fault)
    taints = f"jsonpath={{.spec.devices[?(@.name=='{gpu}')].taints[0].effect}}"
    kubectl("wait", "resourceslices", "--all", f"--for={taints}", f"--timeout={SECONDS}s")


def test_a_gpu_that_told_an_xid_gets_no_new_pods_until_it_has_recovered(
    parts: Parts, kubectl: Kubectl
) -> None:
    befall(parts, kubectl, "gpu-0", "xid=79")
    kubectl.apply([TEMPLATE, pod_of("first", "one-gpu")])
    kubectl.await_pods("first")
    assert nodes_in(kubectl, "first") == ["nvidia1"]
    kubectl.apply([pod_of("second", "one-gpu")])
    kubectl.await_unschedulable("second")
    parts.befall("gpu-0", "recover")
    kubectl.await_pods("second")
    assert nodes_in(kubectl, "second") == ["nvidia0"]


def test_a_pod_goes_on_when_its_gpu_is_only_closed_to_new_ones(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([TEMPLATE, pod_of("first", "one-gpu")])
    kubectl.await_pods("first")
    befall(parts, kubectl, "gpu-0", "xid=79")
    kubectl.apply([pod_of("second", "one-gpu")])
    kubectl.await_pods("first", "second")
    assert nodes_in(kubectl, "first") == ["nvidia0"]


def test_a_pod_is_evicted_from_a_gpu_whose_xid_the_policy_makes_fatal(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([TEMPLATE, pod_of("doomed", "one-gpu")])
    kubectl.await_pods("doomed")
    befall(parts, kubectl, "gpu-0", "xid=74")
    kubectl.await_gone("pod/doomed")
    kubectl.await_gone("resourceclaims", "--all")
    kubectl.apply([pod_of("next", "one-gpu"), pod_of("after-next", "one-gpu")])
    parts.befall("gpu-0", "recover")
    kubectl.await_pods("next", "after-next")
