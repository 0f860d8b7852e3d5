"""A node whose GPUs Slicewire allocates: kube-scheduler keeps off, gated pods get in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.cluster.kubectl import MANAGED, SECONDS, Kubectl, example, gated
from tests.cluster.pods import plain_pod
from tests.cluster.polling import comes_true
from tests.cluster.slicewire import Parts

NO_GATE_IS_OPENED = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-gate-is-opened}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [UPDATE]}]
  validations:
  - expression: "!has(oldObject.spec.schedulingGates) || has(object.spec.schedulingGates)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-gate-is-opened}
spec: {policyName: no-gate-is-opened, validationActions: [Deny]}
"""
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def test_a_gated_pod_is_allocated_by_slicewire_and_runs(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    kubectl.apply(example("one-gpu-per-pod", gated))
    kubectl.await_pods("trainer-1", "trainer-2")
    for claim in kubectl.get("resourceclaims")["items"]:
        (reserved,) = claim["status"]["reservedFor"]
        assert claim["metadata"]["name"].startswith(reserved["name"])


@pytest.fixture
def gates_stay(kubectl: Kubectl) -> Iterator[Callable[[], None]]:
    """Kubernetes refuses to open a gate, until this is called."""
    probe = plain_pod("probe")
    probe["spec"]["schedulingGates"] = [{"name": "example.com/probe"}]
    kubectl.apply([probe, *yaml.safe_load_all(NO_GATE_IS_OPENED)])
    opening = ("patch", "pod", "probe", "--dry-run=server", "--type=merge", "-p")

    def is_refused() -> bool:
        return kubectl.tried(*opening, '{"spec":{"schedulingGates":null}}').returncode != 0

    assert comes_true(is_refused, SECONDS), "the admission policy never came into force"

    def end() -> None:
        kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings"
        kubectl("delete", kinds, "no-gate-is-opened", "--ignore-not-found")

    yield end
    end()


def test_a_publisher_killed_between_allocation_and_gate_opens_the_gate_for_what_was_allocated(
    gates_stay: Callable[[], None], parts: Parts, kubectl: Kubectl
) -> None:
    kubectl(*MANAGED)
    documents = example("one-gpu-per-pod", gated)
    kubectl.apply(documents[:2])
    allocated = ("--for=jsonpath={.status.reservedFor[0].name}=trainer-1", f"--timeout={SECONDS}s")
    kubectl("wait", "resourceclaims", "--all", "--for=create", f"--timeout={SECONDS}s")
    kubectl("wait", "resourceclaims", "--all", *allocated)
    (before,) = kubectl.get("resourceclaims")["items"]
    assert kubectl.get("pod", "trainer-1")["spec"]["schedulingGates"]
    parts.daemons["publisher"].kill()
    gates_stay()
    parts.start("publisher")
    kubectl.await_pods("trainer-1")
    (after,) = kubectl.get("resourceclaims")["items"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["allocation"] == before["status"]["allocation"]


def test_a_pod_without_the_gate_is_kept_off_managed_gpus(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    kubectl.apply(example("big-gpu", gated))
    kubectl.await_pods("large-model")  # the node is known as managed by now
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_unschedulable("trainer-1")


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
