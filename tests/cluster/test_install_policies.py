"""The admission policies of deploy/k8s before a real API server: who is refused, in which words, and who not.

What is tried is tried as an account that RBAC lets do anything with pods, slices and claims: it is the policy
that refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import accounts
from tests.cluster.kubectl import GATE, Kubectl
from tests.cluster.places import NODE
from tests.cluster.pods import plain_pod
from tests.cluster.polling import comes_true

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
OURS, THEIRS = "gpu.nvidia.com", "tpu.example.com"
NOT_THEIRS = f"slices of driver {OURS} are written by slicewire-system/slicewire-publisher only"
ONLY_OURS = f"slicewire-publisher writes slices of driver {OURS} only"
OF_A_NODE = "slicewire-publisher writes slices that belong to one node only"
NOT_GIVEN = f"devices of driver {OURS} are given by slicewire-publisher or kube-scheduler only"
GIVES_OURS = f"slicewire-publisher gives devices of driver {OURS} only"
TOLD = f"the state of devices of driver {OURS} is told by slicewire-publisher only"
FINALIZER = "resource.kubernetes.io/delete-protection"
STRANGER, PUBLISHER = "stranger", accounts.user(accounts.PUBLISHER)
ADMIN, SCHEDULER = "admin", "system:kube-scheduler"
CONTROLLER = "system:serviceaccount:kube-system:resource-claim-controller"
DOES, SEES = "slicewire-test-does", "slicewire-test-sees"


@pytest.fixture(scope="module")
def policies(kubectl: Kubectl) -> Iterator[None]:
    accounts.give(kubectl)
    kinds = "resourceslices.resource.k8s.io,resourceclaims.resource.k8s.io"
    parts = "resourceclaims.resource.k8s.io/status,resourceclaims.resource.k8s.io/binding"
    kubectl("create", "clusterrole", DOES, "--verb=*", f"--resource={kinds},{parts},pods")
    kubectl("create", "clusterrolebinding", DOES, f"--clusterrole={DOES}", f"--user={STRANGER}")
    kubectl(
        "create", "clusterrole", SEES, "--verb=get", f"--resource={kinds},{parts},pods"
    )  # kubectl looks first
    seers = [f"--user={account}" for account in (PUBLISHER, SCHEDULER, CONTROLLER)]
    kubectl("create", "clusterrolebinding", SEES, f"--clusterrole={SEES}", *seers)
    kubectl.apply([a_pod(), a_claim()])
    in_force(kubectl)
    yield
    kubectl("delete", "clusterrole,clusterrolebinding", DOES, SEES)
    kubectl("delete", "pod/guarded", "resourceclaim/guarded", "--grace-period=0", "--force")


def in_force(kubectl: Kubectl) -> None:
    """A policy is compiled a moment after it was made: until the first of each refuses."""

    def refuses() -> bool:
        slice_, pod = tried_slice(kubectl, STRANGER, a_slice(OURS)), patched(kubectl, PUBLISHER, LABEL)
        claim = given(kubectl, STRANGER, OURS)
        return all(refused != "" for refused in (slice_, pod, claim))

    assert comes_true(refuses, 30)


def a_pod() -> dict[str, Any]:
    pod = plain_pod("guarded")
    pod["spec"]["schedulingGates"] = [GATE, {"name": "example.com/other"}]
    return pod


def a_claim() -> dict[str, Any]:
    requests = [{"name": "gpu", "exactly": {"deviceClassName": OURS}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "guarded"},
        "spec": {"devices": {"requests": requests}},
    }


def a_slice(driver: str, version: str = "v1", **where: Any) -> dict[str, Any]:
    pool = {"name": "guarded", "generation": 1, "resourceSliceCount": 1}
    device: dict[str, Any] = {"name": "gpu-0"}
    if version == "v1beta1":
        device["basic"] = {}
    spec = {"driver": driver, "pool": pool, "devices": [device], **(where or {"nodeName": NODE})}
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceSlice",
        "metadata": {"name": "guarded"},
        "spec": spec,
    }


def refusal(kubectl: Kubectl, account: str, *command: str, given: str = "") -> str:
    """What the API server says against it; empty where it lets it through. Nothing is kept."""
    as_whom = () if account == ADMIN else ("--as", account)
    groups = ("--as-group", "system:nodes") if account.startswith("system:node:") else ()
    done = kubectl.tried(*command, "--dry-run=server", *as_whom, *groups, given=given)
    return done.stderr if done.returncode else ""


def tried_slice(kubectl: Kubectl, account: str, document: dict[str, Any]) -> str:
    return refusal(kubectl, account, "create", "-f", "-", given=json.dumps(document))


def given(kubectl: Kubectl, account: str, driver: str) -> str:
    result = {"request": "gpu", "driver": driver, "pool": "guarded", "device": "gpu-0"}
    return status_of_claim(kubectl, account, {"allocation": {"devices": {"results": [result]}}})


def status_of_claim(kubectl: Kubectl, account: str, status: dict[str, Any]) -> str:
    how = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    return refusal(kubectl, account, "patch", "resourceclaim", "guarded", *how)


def patched(kubectl: Kubectl, account: str, patch: list[dict[str, Any]]) -> str:
    return refusal(kubectl, account, "patch", "pod", "guarded", "--type=json", "-p", json.dumps(patch))


LABEL = [{"op": "add", "path": "/metadata/labels", "value": {"app": "x"}}]
TAKES_OURS = [{"op": "remove", "path": "/spec/schedulingGates/0"}]
TAKES_OTHER = [{"op": "remove", "path": "/spec/schedulingGates/1"}]
IMAGE = [{"op": "replace", "path": "/spec/containers/0/image", "value": "another"}]
TOLERATES = [{"op": "add", "path": "/spec/tolerations/-", "value": {"operator": "Exists"}}]
BOUNDED = [{"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1}]


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("account", "driver", "where", "said"),
    [
        (STRANGER, OURS, {}, NOT_THEIRS),
        (ADMIN, OURS, {}, NOT_THEIRS),
        (STRANGER, THEIRS, {}, ""),
        (PUBLISHER, OURS, {}, ""),
        (PUBLISHER, THEIRS, {}, ONLY_OURS),
        (PUBLISHER, OURS, {"allNodes": True}, OF_A_NODE),
    ],
)
def test_slices_of_our_driver_are_the_publisher_s_and_it_writes_no_other(
    kubectl: Kubectl, account: str, driver: str, where: dict[str, Any], said: str
) -> None:
    refused = tried_slice(kubectl, account, a_slice(driver, **where))
    assert said in refused if said else not refused


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
def test_an_older_version_of_the_api_is_no_way_around(kubectl: Kubectl, version: str) -> None:
    assert NOT_THEIRS in tried_slice(kubectl, STRANGER, a_slice(OURS, version))


@pytest.mark.usefixtures("policies")
def test_a_slice_of_ours_may_be_deleted_by_who_cleans_up_and_not_by_others(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", "--as", PUBLISHER, given=json.dumps(a_slice(OURS)))
    delete = ("delete", "resourceslice", "guarded")
    assert NOT_THEIRS in refusal(kubectl, STRANGER, *delete)
    for account in (PUBLISHER, f"system:node:{NODE}", ADMIN):
        assert refusal(kubectl, account, *delete) == ""
    kubectl(*delete)


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("account", "driver", "said"),
    [
        (STRANGER, OURS, NOT_GIVEN),
        (STRANGER, THEIRS, ""),
        (PUBLISHER, THEIRS, GIVES_OURS),
        (SCHEDULER, OURS, ""),
    ],
)
def test_our_devices_are_given_by_the_publisher_and_the_scheduler(
    kubectl: Kubectl, account: str, driver: str, said: str
) -> None:
    refused = given(kubectl, account, driver)
    assert said in refused if said else not refused


@pytest.mark.usefixtures("policies")
def test_what_was_given_is_taken_back_and_told_of_by_nobody_else(kubectl: Kubectl) -> None:
    finalizer = json.dumps({"metadata": {"finalizers": [FINALIZER]}})
    kubectl("patch", "resourceclaim", "guarded", "--type=merge", "-p", finalizer, "--as", PUBLISHER)
    result = {"request": "gpu", "driver": OURS, "pool": "guarded", "device": "gpu-0"}
    status = json.dumps({"status": {"allocation": {"devices": {"results": [result]}}}})
    how = ("--subresource=status", "--type=merge", "-p", status)
    kubectl("patch", "resourceclaim", "guarded", *how, "--as", PUBLISHER)
    told = {"devices": [{"driver": OURS, "pool": "guarded", "device": "gpu-0", "data": {"x": 1}}]}
    assert NOT_GIVEN in status_of_claim(kubectl, STRANGER, {"allocation": None})
    assert refusal_of_state(status_of_claim(kubectl, STRANGER, told))
    assert status_of_claim(kubectl, PUBLISHER, told) == ""
    label = ("--type=merge", "-p", json.dumps({"metadata": {"labels": {"app": "x"}}}))
    assert "of a claim's metadata" in refusal(kubectl, PUBLISHER, "patch", "resourceclaim", "guarded", *label)
    assert status_of_claim(kubectl, CONTROLLER, {"allocation": None}) == ""
    kubectl("patch", "resourceclaim", "guarded", "--subresource=status", "--type=merge", "-p", _TAKEN)


_TAKEN = json.dumps({"status": {"allocation": None}})


def refusal_of_state(refused: str) -> bool:
    """By the policy, or before it by a server that asks for the right `resourceclaims/driver`."""
    return TOLD in refused or "resourceclaims/driver" in refused


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("account", "patch", "said"),
    [
        (PUBLISHER, TAKES_OURS, ""),
        (PUBLISHER, TAKES_OTHER, "takes away the gate slicewire.dev/allocation only"),
        (PUBLISHER, [*TAKES_OURS, *LABEL], "slicewire-publisher writes no metadata of a pod"),
        (PUBLISHER, [*TAKES_OURS, *IMAGE], "slicewire-publisher changes no image of a pod"),
        (PUBLISHER, [*TAKES_OURS, *TOLERATES], "says nothing about where or how long a pod runs"),
        (PUBLISHER, [*TAKES_OURS, *BOUNDED], "says nothing about where or how long a pod runs"),
        (STRANGER, TAKES_OTHER, ""),
    ],
)
def test_of_a_pod_the_publisher_takes_away_its_gate_and_changes_nothing(
    kubectl: Kubectl, account: str, patch: list[dict[str, Any]], said: str
) -> None:
    refused = patched(kubectl, account, patch)
    assert said in refused if said else not refused
