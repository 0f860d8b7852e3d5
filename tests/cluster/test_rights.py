"""The publisher uses every right that the manifests give it, and needs no other; so does node-prep.

The API server writes down what is asked of it; that is compared with the roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.cluster import accounts
from tests.cluster.audit import Record, Right
from tests.cluster.kubectl import MANAGED, SECONDS, Kubectl, example, gated
from tests.cluster.places import NODE, Home
from tests.cluster.polling import comes_true
from tests.cluster.slicewire import Parts
from tests.deploy.test_privileges import rights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
DRIVER = "gpu.nvidia.com"
GROUP = "resource.k8s.io"
ASKED_IN_ANOTHER_S_PLACE = {
    Right(GROUP, "resourceclaims/binding", "patch"),
    Right(GROUP, "resourceclaims/driver", "arbitrary-node:patch"),
}
"""No request is made of these: the server asks about them when a status is patched. That they are needed is
shown by taking them away, below."""
READS_CLAIMS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "slicewire-test-reads-claims"},
    "rules": [{"apiGroups": [GROUP], "resources": ["resourceclaims"], "verbs": ["get"]}],
}
"""What docs/kubernetes.md says that node-prep takes, where it is to read claims while the bus is away."""
READS_CLAIMS_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "slicewire-test-reads-claims"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "slicewire-test-reads-claims",
    },
    "subjects": [
        {"kind": "ServiceAccount", "namespace": accounts.NODE_PREP[0], "name": accounts.NODE_PREP[1]}
    ],
}


@pytest.fixture
def settings(home: Home, kubectl: Kubectl) -> Iterator[Mapping[str, str]]:
    """Agents are missed soon, and node-prep may read claims."""
    accounts.give(kubectl)
    kubectl.apply([READS_CLAIMS, READS_CLAIMS_BINDING])
    path = accounts.kubeconfig(kubectl, home, accounts.NODE_PREP, home.root / "node-prep.kubeconfig")
    yield {
        "SLICEWIRE_PUBLISHER_ROLL_CALL_SECONDS": "1",
        "SLICEWIRE_PUBLISHER_SILENT_SECONDS": "5",
        "SLICEWIRE_NODE_PREP_KUBECONFIG": str(path),
        "SLICEWIRE_NODE_PREP_LEDGER_WAIT_SECONDS": "1",
    }
    kubectl("delete", "clusterrole,clusterrolebinding", "slicewire-test-reads-claims")


@pytest.fixture
def record(home: Home, kubectl: Kubectl) -> Record:
    """From before the parts start, on a cluster that has never had a leader."""
    namespace, name = accounts.PUBLISHER
    kubectl("delete", "lease", name, "-n", namespace, "--ignore-not-found")
    return Record(home)


def granted(kinds: set[str]) -> set[Right]:
    """By the roles of the manifests, which the publisher alone is bound to."""
    return {Right(*right) for role in accounts.documents(kinds) for right in rights(role["rules"])}


def used(record: Record, account: accounts.Account) -> set[Right]:
    asked = [each for each in record.asked() if each.user == accounts.user(account)]
    refused = {each.right for each in asked if not each.is_allowed}
    assert not refused, f"{account[1]} asked for what it may not"
    return {each.right for each in asked}


def claims(kubectl: Kubectl) -> list[dict[str, Any]]:
    return list(kubectl.get("resourceclaims")["items"])


def slices(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = kubectl.get("resourceslices", "--field-selector", f"spec.driver={DRIVER}")
    return list(found["items"])


def taints(kubectl: Kubectl) -> set[str]:
    devices = [device for each in slices(kubectl) for device in each["spec"].get("devices", ())]
    return {taint["key"] for device in devices for taint in device.get("taints", ())}


def are_told_ready(kubectl: Kubectl) -> bool:
    """Of each device of each claim."""
    told = [claim["status"].get("devices", []) for claim in claims(kubectl)]
    return bool(told) and all(each and each[0]["conditions"][0]["type"] == "Ready" for each in told)


def test_every_right_is_used_and_no_other_is_asked_for(
    record: Record, parts: Parts, kubectl: Kubectl
) -> None:
    # Pods, claims and their statuses; the state of devices, Events.
    kubectl(*MANAGED)
    kubectl.apply(example("one-gpu-per-pod", gated))
    kubectl.await_pods("trainer-1", "trainer-2")
    assert comes_true(lambda: are_told_ready(kubectl), SECONDS), "status.devices was never written"
    kubectl("delete", "pods", "--all")
    # An agent dies: slices are changed. The publisher dies: the next one finds the Event that was told.
    parts.daemons["discovery"].kill()
    assert comes_true(lambda: "slicewire.dev/silent" in taints(kubectl), SECONDS), "it was never missed"
    parts.kill("publisher")
    # The agent stays away: slices are deleted. It comes back: they are made.
    assert comes_true(lambda: not slices(kubectl), SECONDS), "the slices stay"
    parts.start("discovery")
    assert comes_true(lambda: bool(slices(kubectl)), SECONDS), "the slices do not come back"
    found = used(record, accounts.PUBLISHER)
    given = granted({"ClusterRole", "Role"})
    assert given >= ASKED_IN_ANOTHER_S_PLACE
    assert found == given - ASKED_IN_ANOTHER_S_PLACE


def test_while_the_bus_is_away_node_prep_gets_claims_and_asks_for_nothing_else(
    record: Record, parts: Parts, kubectl: Kubectl
) -> None:
    parts.daemons["nats-server"].kill()
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    assert used(record, accounts.NODE_PREP) == {Right(GROUP, "resourceclaims", "get")}
    parts.start("nats-server")


@pytest.fixture
def without(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """The publisher lacks the right that the test names."""
    (role,) = accounts.documents({"ClusterRole"})
    resource = str(request.param)
    rules = [rule for rule in role["rules"] if rule["resources"] != [resource]]
    assert len(rules) == len(role["rules"]) - 1
    kubectl("replace", "-f", "-", given=yaml.safe_dump({**role, "rules": rules}))
    return resource


@pytest.mark.parametrize("without", ["resourceclaims/binding", "resourceclaims/driver"], indirect=True)
def test_a_status_takes_a_right_that_no_request_names_and_its_lack_is_said(
    parts: Parts, without: str, kubectl: Kubectl
) -> None:
    """The parts have begun with all rights; from here on one is missing."""
    log = parts.daemons["publisher"].log
    before = log.stat().st_size
    kubectl(*MANAGED)
    kubectl.apply(example("big-gpu", gated))
    assert comes_true(lambda: without in log.read_text()[before:], SECONDS), "nobody says what is missing"
    (claim,) = claims(kubectl)
    missing = "allocation" if without == "resourceclaims/binding" else "devices"
    assert missing not in claim["status"]
    accounts.give(kubectl)
    parts.kill("publisher")  # it would try again by itself, after half a minute
    kubectl.await_pods("large-model")
    assert comes_true(lambda: are_told_ready(kubectl), SECONDS), "status.devices was never written"
    assert claims(kubectl)[0]["status"]["allocation"]["devices"]["results"][0]["pool"] == NODE
