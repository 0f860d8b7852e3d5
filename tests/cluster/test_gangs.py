"""Pods that start together or not at all, whoever dies on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.cluster.kubectl import GATE, MANAGED, SECONDS, Kubectl
from tests.cluster.pods import plain_pod, pod_of, template
from tests.cluster.polling import comes_true
from tests.cluster.slicewire import GPUS, Parts

THE_SECOND_IS_NOT_WRITTEN = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: the-second-is-not-written}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [resource.k8s.io]
      apiVersions: [v1]
      operations: [UPDATE]
      resources: [resourceclaims/status]
  validations:
  - expression: "!object.metadata.name.startsWith('rank-1') || !has(object.status.allocation)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: the-second-is-not-written}
spec: {policyName: the-second-is-not-written, validationActions: [Deny]}
"""
POLICIES = "validatingadmissionpolicies,validatingadmissionpolicybindings"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture
def settings() -> Mapping[str, str]:
    return {"SLICEWIRE_PUBLISHER_GANG_SECONDS": "3"}


def a_gang(size: int, name: str = "train", rank: str = "rank") -> list[dict[str, Any]]:
    """Pods `rank-0` and so on, each with one GPU."""
    return [_member(f"{rank}-{number}", name, size) for number in range(size)]


def _member(pod_name: str, gang: str, size: int) -> dict[str, Any]:
    pod = pod_of(pod_name, "one-gpu")
    labels = {"slicewire.dev/gang": gang, "slicewire.dev/gang-size": str(size)}
    pod["metadata"]["labels"] = labels
    pod["spec"]["schedulingGates"] = [GATE]
    return pod


def names(pods: list[dict[str, Any]]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def held(kubectl: Kubectl) -> dict[str, list[tuple[str, str]]]:
    """The devices of each pod, by what its claims say."""
    found: dict[str, list[tuple[str, str]]] = {}
    for claim in kubectl.get("resourceclaims")["items"]:
        results = claim["status"].get("allocation", {}).get("devices", {}).get("results", ())
        for user in claim["status"].get("reservedFor", ()):
            found.setdefault(user["name"], []).extend((each["pool"], each["device"]) for each in results)
    return found


def is_gated(kubectl: Kubectl, pod: str) -> bool:
    return GATE in kubectl.get("pod", pod)["spec"].get("schedulingGates", [])


def all_different(kubectl: Kubectl, pods: list[str]) -> bool:
    devices = held(kubectl)
    given = [device for pod in pods for device in devices.get(pod, ())]
    return len(given) == len(set(given)) == len(pods)


@pytest.fixture
def second_refused(kubectl: Kubectl) -> Iterator[Callable[[], None]]:
    """Kubernetes refuses the allocation of the second pod, until this is called."""
    kubectl.apply([template("one-gpu", "gpu.nvidia.com"), *yaml.safe_load_all(THE_SECOND_IS_NOT_WRITTEN)])
    probe = _claim("rank-1-probe")
    kubectl.apply([probe])
    allocation = '{"status":{"allocation":{"devices":{"results":[]}}}}'
    patch = ("patch", "resourceclaim", "rank-1-probe", "--subresource=status", "--dry-run=server")

    def is_refused() -> bool:
        return "denied" in kubectl.tried(*patch, "--type=merge", "-p", allocation).stderr

    assert comes_true(is_refused, SECONDS), "the admission policy never came into force"
    kubectl("delete", "resourceclaim", "rank-1-probe")

    def end() -> None:
        kubectl("delete", POLICIES, "the-second-is-not-written", "--ignore-not-found")

    yield end
    end()


def _claim(name: str) -> dict[str, Any]:
    request = {"name": "device", "exactly": {"deviceClassName": "gpu.nvidia.com"}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": {"devices": {"requests": [request]}},
    }


def test_a_publisher_killed_between_two_statuses_of_a_gang_has_let_nobody_go_and_the_next_goes_on(
    second_refused: Callable[[], None], parts: Parts, kubectl: Kubectl
) -> None:
    kubectl(*MANAGED)
    pods = a_gang(2)
    kubectl.apply(pods)
    assert comes_true(lambda: "rank-0" in held(kubectl), SECONDS), "the first status was never written"
    before = held(kubectl)["rank-0"]
    assert "rank-1" not in held(kubectl)
    parts.daemons["publisher"].kill()
    assert is_gated(kubectl, "rank-0"), "nobody goes on before everything of the gang is written"
    assert is_gated(kubectl, "rank-1")
    second_refused()
    parts.start("publisher")
    kubectl.await_pods(*names(pods))
    assert held(kubectl)["rank-0"] == before
    assert all_different(kubectl, names(pods))


@pytest.mark.parametrize("part", ["allocator", "publisher", "nats-server"])
def test_a_gang_starts_whole_although_a_part_is_killed_while_it_collects(
    parts: Parts, kubectl: Kubectl, part: str
) -> None:
    kubectl(*MANAGED)
    pods = a_gang(GPUS)
    kubectl.apply([template("one-gpu", "gpu.nvidia.com"), *pods[:-1]])
    kubectl.apply(pods[-1:])
    parts.kill(part)
    kubectl.await_pods(*names(pods))
    assert all_different(kubectl, names(pods))


def test_a_gang_that_cannot_be_met_holds_nothing(parts: Parts, kubectl: Kubectl) -> None:
    kubectl(*MANAGED)
    too_many = a_gang(GPUS + 1, "too-many", "many")
    kubectl.apply([template("one-gpu", "gpu.nvidia.com"), *too_many])
    for pod in names(too_many):
        kubectl("wait", f"pod/{pod}", "--for=create", f"--timeout={SECONDS}s")
    fits = a_gang(GPUS, "fits", "fit")
    kubectl.apply(fits)
    kubectl.await_pods(*names(fits))
    devices = held(kubectl)
    assert all_different(kubectl, names(fits))
    assert not [pod for pod in names(too_many) if pod in devices]
    assert all(is_gated(kubectl, pod) for pod in names(too_many))


def test_a_member_that_asks_for_what_is_nowhere_keeps_the_whole_gang_from_holding_anything(
    parts: Parts, kubectl: Kubectl
) -> None:
    kubectl(*MANAGED)
    nowhere = template("nowhere", "gpu.nvidia.com")
    expression = "device.attributes['gpu.nvidia.com'].productName == 'none such'"
    nowhere["spec"]["spec"]["devices"]["requests"][0]["exactly"]["selectors"] = [
        {"cel": {"expression": expression}}
    ]
    pods = a_gang(2)
    pods[1]["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] = "nowhere"
    alone = pod_of("alone", "one-gpu")
    alone["spec"]["schedulingGates"] = [GATE]
    kubectl.apply([template("one-gpu", "gpu.nvidia.com"), nowhere, *pods, plain_pod("bystander"), alone])
    kubectl.await_pods("alone", "bystander")
    assert list(held(kubectl)) == ["alone"]
    assert all(is_gated(kubectl, pod) for pod in names(pods))
