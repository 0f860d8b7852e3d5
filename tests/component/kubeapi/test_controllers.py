"""What the stand-ins do around claims: make them, place their pods, take them back, clear up."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.kubeapi.controllers import running_controllers, step_until_still
from tests.kubeapi.controllers.objects import DELETE_PROTECTION
from tests.kubeapi.controllers.scheduler import SCHEDULER_STEPS, selects
from tests.kubeapi.examples import a_claim, a_node, a_pod, a_slice, a_template, an_allocation, reserved_for
from tests.kubeapi.feed import Feed
from tests.kubeapi.history import Change, Object
from tests.kubeapi.kinds import CLAIM_TEMPLATES, CLAIMS, NAMESPACES, NODES, PODS, SLICES
from tests.kubeapi.store import Store, target_of
from tests.kubeapi.targets import Target

pytestmark = pytest.mark.slow

FROM_TEMPLATE = [{"name": "gpu", "resourceClaimTemplateName": "template-1"}]
BY_NAME = [{"name": "gpu", "resourceClaimName": "claim-1"}]


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create(Target(NODES), a_node())
    store.create(Target(NODES), a_node("node-2", zone="b"))
    store.create(Target(CLAIM_TEMPLATES, "default"), a_template())
    return store


def create_pod(store: Store, **fields: Any) -> Object:
    return store.create(Target(PODS, "default"), a_pod(**fields))


def pod(store: Store, name: str = "pod-1") -> Object:
    return store.get(Target(PODS, "default", name))


def only_claim(store: Store) -> Object:
    (claim,) = store.all(CLAIMS)
    return claim


def allocate(store: Store, claim: Object, to: Object, node: str = "node-1") -> Object:
    """What the publisher does: protect, allocate, reserve."""
    metadata = {**claim["metadata"], "finalizers": [DELETE_PROTECTION]}
    claim = store.update(target_of(CLAIMS, claim), {**claim, "metadata": metadata})
    status = {"allocation": an_allocation(node=node), "reservedFor": [reserved_for(to)]}
    return store.update(target_of(CLAIMS, claim, "status"), {**claim, "status": status})


def end(store: Store, phase: str = "Succeeded") -> None:
    target = target_of(PODS, pod(store), "status")
    store.update(target, {**pod(store), "status": {**pod(store)["status"], "phase": phase}})


def test_a_template_becomes_a_claim_of_the_pod(store: Store) -> None:
    made = create_pod(store, claims=FROM_TEMPLATE)
    step_until_still(store)
    claim = only_claim(store)
    assert claim["metadata"]["generateName"] == "pod-1-gpu-"
    assert claim["metadata"]["annotations"] == {"resource.kubernetes.io/pod-claim-name": "gpu"}
    (owner,) = claim["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Pod", made["metadata"]["uid"], True)
    assert claim["spec"] == store.all(CLAIM_TEMPLATES)[0]["spec"]["spec"]
    recorded = {"name": "gpu", "resourceClaimName": claim["metadata"]["name"]}
    assert pod(store)["status"]["resourceClaimStatuses"] == [recorded]


def test_a_claim_is_made_for_a_gated_pod_and_only_once(store: Store) -> None:
    create_pod(store, claims=FROM_TEMPLATE, schedulingGates=[{"name": "example.com/wait"}])
    step_until_still(store)
    forgotten = {**pod(store), "status": {"phase": "Pending"}}
    store.update(target_of(PODS, forgotten, "status"), forgotten)
    step_until_still(store)
    assert (
        only_claim(store)["metadata"]["name"]
        == pod(store)["status"]["resourceClaimStatuses"][0]["resourceClaimName"]
    )


def test_a_pod_waits_for_its_template(store: Store) -> None:
    create_pod(store, claims=[{"name": "gpu", "resourceClaimTemplateName": "later"}])
    step_until_still(store)
    assert store.all(CLAIMS) == ()
    store.create(Target(CLAIM_TEMPLATES, "default"), a_template("later"))
    step_until_still(store)
    assert only_claim(store)


def test_a_pod_is_placed_where_its_allocation_says_once_it_is_reserved(store: Store) -> None:
    made = create_pod(store, claims=FROM_TEMPLATE)
    step_until_still(store)
    assert "nodeName" not in pod(store)["spec"]

    claim = only_claim(store)
    unreserved = {**claim, "status": {"allocation": an_allocation(node="node-2")}}
    claim = store.update(target_of(CLAIMS, claim, "status"), unreserved)
    step_until_still(store, SCHEDULER_STEPS)
    assert "nodeName" not in pod(store)["spec"]

    reserved = {**claim, "status": {**claim["status"], "reservedFor": [reserved_for(made)]}}
    store.update(target_of(CLAIMS, claim, "status"), reserved)
    step_until_still(store)
    assert pod(store)["spec"]["nodeName"] == "node-2"
    assert [(c["type"], c["status"]) for c in pod(store)["status"]["conditions"]] == [
        ("PodScheduled", "True")
    ]


def test_a_gate_keeps_a_pod_from_its_node_until_it_is_lifted(store: Store) -> None:
    made = create_pod(store, claims=FROM_TEMPLATE, schedulingGates=[{"name": "example.com/wait"}])
    step_until_still(store)
    allocate(store, only_claim(store), made)
    step_until_still(store)
    assert "nodeName" not in pod(store)["spec"]
    gated = pod(store)
    ungated = {**gated, "spec": {**gated["spec"], "schedulingGates": []}}
    store.update(target_of(PODS, gated), ungated)
    step_until_still(store)
    assert pod(store)["spec"]["nodeName"] == "node-1"


def test_a_finished_pod_gives_its_claim_back(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    made = create_pod(store, claims=BY_NAME)
    allocate(store, only_claim(store), made)
    step_until_still(store)
    end(store)
    step_until_still(store)
    claim = only_claim(store)
    assert claim["status"] == {}
    assert "finalizers" not in claim["metadata"]


def test_a_claim_made_for_a_pod_is_deleted_when_the_pod_has_ended(store: Store) -> None:
    made = create_pod(store, claims=FROM_TEMPLATE)
    step_until_still(store)
    allocate(store, only_claim(store), made)
    end(store, "Failed")
    step_until_still(store)
    assert store.all(CLAIMS) == ()
    assert pod(store)


def test_a_claim_shared_by_two_pods_stays_allocated_for_the_other(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    first, second = create_pod(store, claims=BY_NAME), create_pod(store, name="pod-2", claims=BY_NAME)
    claim = allocate(store, only_claim(store), first)
    both = [reserved_for(first), reserved_for(second)]
    store.update(
        target_of(CLAIMS, claim, "status"), {**claim, "status": {**claim["status"], "reservedFor": both}}
    )
    end(store)
    step_until_still(store)
    status = only_claim(store)["status"]
    assert status["reservedFor"] == [reserved_for(second)]
    assert "allocation" in status


def test_a_claim_that_was_not_protected_keeps_its_allocation(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    claim = allocate(store, only_claim(store), create_pod(store, claims=BY_NAME))
    unprotected = {**claim["metadata"], "finalizers": []}
    store.update(target_of(CLAIMS, claim), {**claim, "metadata": unprotected})
    end(store)
    step_until_still(store)
    assert only_claim(store)["status"] == {"allocation": an_allocation()}


def test_a_protected_claim_that_waits_for_its_allocation_is_left_alone(store: Store) -> None:
    guarded = a_claim()
    guarded["metadata"]["finalizers"] = [DELETE_PROTECTION]
    made = store.create(Target(CLAIMS, "default"), guarded)
    step_until_still(store)
    assert only_claim(store) == made


def test_a_deleted_claim_is_freed_once_nobody_holds_it(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    made = create_pod(store, claims=BY_NAME)
    allocate(store, only_claim(store), made)
    step_until_still(store)
    store.delete(Target(CLAIMS, "default", "claim-1"))
    step_until_still(store)
    assert "allocation" in only_claim(store)["status"]
    store.delete(Target(PODS, "default", "pod-1"))
    step_until_still(store)
    assert store.all(CLAIMS) == store.all(PODS) == ()


def test_the_slices_of_a_deleted_node_go_with_it_and_not_those_of_its_successor(store: Store) -> None:
    node = store.get(Target(NODES, name="node-1"))
    owned = a_slice()
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": node["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [owner]
    store.create(Target(SLICES), owned)
    store.create(Target(SLICES), a_slice("ownerless"))
    store.delete(Target(NODES, name="node-1"))
    reborn = store.create(Target(NODES), a_node())
    newer = a_slice("newer")
    newer["metadata"]["ownerReferences"] = [{**owner, "uid": reborn["metadata"]["uid"]}]
    store.create(Target(SLICES), newer)
    step_until_still(store)
    assert {each["metadata"]["name"] for each in store.all(SLICES)} == {"ownerless", "newer"}


def test_a_deleted_namespace_is_emptied_and_let_go(store: Store) -> None:
    store.create(Target(NAMESPACES), {"metadata": {"name": "team"}})
    store.create(Target(CLAIMS, "team"), a_claim())
    store.delete(Target(NAMESPACES, name="team"))
    assert store.get(Target(NAMESPACES, name="team"))["status"] == {"phase": "Terminating"}
    step_until_still(store)
    assert store.find(Target(NAMESPACES, name="team")) is None
    assert store.all(CLAIMS) == ()


def test_what_is_refused_for_one_pod_is_told_and_the_others_go_on(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    nosy = a_template("nosy", [{"name": "gpu", "exactly": {"deviceClassName": "x", "adminAccess": True}}])
    leave = {"metadata": {"name": "admins", "labels": {"resource.kubernetes.io/admin-access": "true"}}}
    namespace = store.create(Target(NAMESPACES), leave)
    store.create(Target(CLAIM_TEMPLATES, "admins"), nosy)
    store.update(Target(NAMESPACES, name="admins"), {**namespace, "metadata": {"name": "admins"}})
    store.create(Target(PODS, "admins"), a_pod(claims=[{"name": "gpu", "resourceClaimTemplateName": "nosy"}]))
    create_pod(store, claims=FROM_TEMPLATE)
    with caplog.at_level(logging.WARNING):
        step_until_still(store)
    assert only_claim(store)["metadata"]["namespace"] == "default"
    assert "make_claims: Pod pod-1" in caplog.text


@pytest.mark.parametrize(
    ("requirement", "holds"),
    [
        ({"key": "zone", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "zone", "operator": "NotIn", "values": ["b"]}, False),
        ({"key": "zone", "operator": "Exists"}, True),
        ({"key": "rack", "operator": "DoesNotExist"}, True),
        ({"key": "gpus", "operator": "Gt", "values": ["7"]}, True),
        ({"key": "gpus", "operator": "Lt", "values": ["8"]}, False),
    ],
)
def test_a_node_selector_asks_about_labels(requirement: dict[str, Any], holds: bool) -> None:
    node = a_node(zone="b", gpus="8")
    assert selects({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}, node) is holds
    assert selects({"nodeSelectorTerms": [{}, {"matchExpressions": [requirement]}]}, node) is holds


async def test_running_controllers_follow_every_change(store: Store) -> None:
    async with running_controllers(store):
        with Feed(store.history, CLAIMS) as claims:
            create_pod(store, claims=FROM_TEMPLATE)
            (change,) = await claims.take(within_seconds=5)
    assert isinstance(change, Change)
    assert change.after["metadata"]["generateName"] == "pod-1-gpu-"
