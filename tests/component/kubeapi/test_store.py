"""The store's verbs, where a real cluster would need minutes or a kubelet to show the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kubeapi.examples import a_claim, a_device, a_node, a_pod, a_slice
from tests.kubeapi.identity import Identity
from tests.kubeapi.kinds import CLAIMS, CONFIG_MAPS, LEASES, NAMESPACES, NODES, PODS, SECRETS, SLICES
from tests.kubeapi.requests import Deletion, Write
from tests.kubeapi.selectors import Selection
from tests.kubeapi.statuses import Refused
from tests.kubeapi.store import Store, target_of
from tests.kubeapi.targets import Target

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
POD = Target(PODS, "default", "pod-1")
CLAIM = Target(CLAIMS, "default", "claim-1")


@pytest.fixture
def store() -> Store:
    return Store(Identity(lambda: NOON, random.Random(1)))


def refusal(of: Any, *args: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        of(*args)
    return refused.value


def test_the_same_clock_and_chance_give_the_same_cluster(store: Store) -> None:
    twin = Store(Identity(lambda: NOON, random.Random(1)))
    wanted = {**a_slice(), "metadata": {"generateName": "s-"}}
    assert store.create(Target(SLICES), wanted) == twin.create(Target(SLICES), wanted)


def test_a_generated_name_that_is_taken_is_drawn_again() -> None:
    class Drawing(random.Random):
        letters = "bbccccccccc"

        def choices(self, population: Any, *args: Any, **kwargs: Any) -> Any:
            drawn, self.letters = self.letters[0], self.letters[1:]
            return [drawn] * 5

    store = Store(Identity(lambda: NOON, Drawing()))
    wanted = {**a_claim(), "metadata": {"generateName": "c-"}}
    made = [store.create(Target(CLAIMS, "default"), wanted) for _ in range(2)]
    assert [each["metadata"]["name"] for each in made] == ["c-bbbbb", "c-ccccc"]
    assert refusal(store.create, Target(CLAIMS, "default"), wanted).reason == "AlreadyExists"


def test_what_was_sent_is_not_shared_with_what_is_stored(store: Store) -> None:
    sent = a_slice()
    stored = store.create(Target(SLICES), sent)
    sent["spec"]["devices"].append(a_device("gpu-1"))
    assert store.get(target_of(SLICES, stored)) == stored
    assert len(stored["spec"]["devices"]) == 1


def test_a_refused_write_takes_no_revision(store: Store) -> None:
    before = store.history.revision
    assert refusal(store.create, Target(SLICES), a_slice(driver="")).code == 422
    assert refusal(store.create, Target(CLAIMS, "nowhere"), a_claim()).code == 404
    assert refusal(store.update, CLAIM, a_claim()).code == 404
    assert store.history.revision == before


def test_a_dry_run_takes_no_revision(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    before = store.history.revision
    labelled = a_claim()
    labelled["metadata"]["labels"] = {"a": "1"}
    assert store.update(CLAIM, labelled, Write(dry_run=True))["metadata"]["labels"] == {"a": "1"}
    assert store.delete(CLAIM, Deletion(dry_run=True))[1]
    assert store.history.revision == before


def test_the_generation_counts_wishes_and_not_their_fulfilment(store: Store) -> None:
    made = store.create(Target(PODS, "default"), a_pod(schedulingGates=[{"name": "a.b/c"}]))
    running = store.update(target_of(PODS, made, "status"), {**made, "status": {"phase": "Running"}})
    assert running["metadata"]["generation"] == 1
    ungated = store.update(POD, {**running, "spec": {**running["spec"], "schedulingGates": []}})
    assert ungated["metadata"]["generation"] == 2


def test_a_node_brings_its_status_and_a_pod_does_not(store: Store) -> None:
    node = store.create(Target(NODES), {**a_node(), "status": {"capacity": {"cpu": "1000m"}}})
    assert node["status"] == {"capacity": {"cpu": "1"}}
    pod = store.create(Target(PODS, "default"), {**a_pod(), "status": {"phase": "Running"}})
    assert pod["status"] == {"phase": "Pending"}


def test_a_pod_that_runs_is_given_time_to_end(store: Store) -> None:
    store.create(Target(PODS, "default"), a_pod())
    store.bind(POD, "node-1")
    leaving, gone = store.delete(POD)
    assert not gone
    assert leaving["metadata"]["deletionGracePeriodSeconds"] == 30
    assert store.delete(POD) == (leaving, False)
    assert store.delete(POD, Deletion(grace_seconds=0))[1]
    assert store.find(POD) is None


def test_a_pod_that_was_never_placed_or_has_ended_goes_at_once(store: Store) -> None:
    store.create(Target(PODS, "default"), a_pod())
    assert store.delete(POD)[1]
    made = store.create(Target(PODS, "default"), a_pod())
    store.bind(POD, "node-1")
    store.update(target_of(PODS, made, "status"), {**a_pod(), "status": {"phase": "Failed"}})
    assert store.delete(POD)[1]


def test_a_pod_is_bound_once_and_only_without_gates(store: Store) -> None:
    gated = store.create(Target(PODS, "default"), a_pod(schedulingGates=[{"name": "a.b/c"}]))
    assert "schedulingGates" in refusal(store.bind, POD, "node-1").message
    store.update(POD, {**gated, "spec": {**gated["spec"], "schedulingGates": []}})
    store.bind(POD, "node-1")
    again = refusal(store.bind, POD, "node-2")
    assert (again.code, again.reason) == (409, "Conflict")
    assert 'already assigned to node "node-1"' in again.message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nodeName": "node-9"}, "spec"),
        ({"resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]}, "spec"),
        ({"schedulingGates": [{"name": "a.b/c"}]}, "spec.schedulingGates"),
    ],
)
def test_the_wishes_of_a_pod_stay_as_they_are(store: Store, change: dict[str, Any], field: str) -> None:
    pod = store.create(Target(PODS, "default"), a_pod())
    refused = refusal(store.update, POD, {**pod, "spec": {**pod["spec"], **change}})
    assert [cause.field for cause in refused.causes] == [field]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"claims": [{"name": "gpu"}]}, "spec.resourceClaims[0]"),
        ({"claims": [{"name": "a", "resourceClaimName": "c"}] * 2}, "spec.resourceClaims[1].name"),
        ({"nodeName": "n", "schedulingGates": [{"name": "a.b/c"}]}, "spec.nodeName"),
        (
            {"containers": [{"name": "m", "resources": {"claims": [{"name": "gpu"}]}}]},
            "spec.containers[0].resources.claims[0].name",
        ),
    ],
)
def test_a_pod_with_one_thing_wrong_is_refused(store: Store, spec: dict[str, Any], field: str) -> None:
    refused = refusal(store.create, Target(PODS, "default"), a_pod(**spec))
    assert [cause.field for cause in refused.causes] == [field]


def test_the_last_finalizer_takes_a_deleted_object_with_it_in_one_event(store: Store) -> None:
    guarded = a_claim()
    guarded["metadata"]["finalizers"] = ["a.b/c"]
    store.create(Target(CLAIMS, "default"), guarded)
    leaving, gone = store.delete(CLAIM)
    assert not gone
    before = store.history.revision
    freed = {**leaving["metadata"], "finalizers": []}
    store.update(CLAIM, {**leaving, "metadata": freed})
    (change,) = store.history.changes_after(CLAIMS, before)
    assert change.removed


def test_a_namespace_that_is_going_takes_nothing_new(store: Store) -> None:
    store.create(Target(NAMESPACES), {"metadata": {"name": "team"}})
    store.create(Target(CLAIMS, "team"), a_claim())
    store.delete(Target(NAMESPACES, name="team"))
    refused = refusal(store.create, Target(CLAIMS, "team"), a_claim("other"))
    assert (refused.code, refused.causes[0].reason) == (403, "NamespaceTerminating")


def test_a_lease_is_created_by_an_update_and_a_claim_is_not(store: Store) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}}
    store.update(Target(LEASES, "default", "l"), lease)
    assert store.get(Target(LEASES, "default", "l"))["spec"] == {"holderIdentity": "a"}
    assert refusal(store.update, CLAIM, a_claim()).reason == "NotFound"


def test_an_applied_object_is_filled_in_like_a_created_one(store: Store) -> None:
    tainted = a_slice(devices=[a_device(taints=[{"key": "a", "effect": "None"}])])
    made = store.apply(Target(SLICES, name="slice-1"), tainted, Write(manager="me"))
    assert made["spec"]["devices"][0]["taints"][0]["timeAdded"] == "2026-01-02T12:00:00Z"
    assert made["metadata"]["generation"] == 1
    namespace = store.apply(Target(NAMESPACES, name="team"), {"metadata": {}}, Write(manager="me"))
    assert namespace["status"] == {"phase": "Active"}
    assert refusal(store.apply, Target(CLAIMS, "default", "c", "status"), a_claim("c")).code == 404


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"kind": "Pod", "metadata": {"name": "c"}}, "does not match the expected kind (ConfigMap)"),
        ({"apiVersion": "v2"}, "does not match the expected apiVersion (v1)"),
        ({"metadata": {"name": "c", "namespace": "other"}}, "namespace of the provided object"),
        ({"metadata": {"name": "c", "resourceVersion": "1"}}, "resourceVersion should not be set"),
        ("text", "is not a ConfigMap object"),
    ],
)
def test_what_does_not_belong_to_the_address_is_a_bad_request(store: Store, sent: Any, told: str) -> None:
    refused = refusal(store.create, Target(CONFIG_MAPS, "default"), sent)
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert told in refused.message


def test_the_name_in_the_body_must_be_the_one_in_the_address(store: Store) -> None:
    store.create(Target(CLAIMS, "default"), a_claim())
    assert "does not match the name on the URL" in refusal(store.update, CLAIM, a_claim("other")).message


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "metadata.name"),
        ({"name": "Big"}, "metadata.name"),
        ({"name": "c", "labels": {"a b": "1"}}, "metadata.labels"),
        ({"name": "c", "labels": {"a": "-"}}, "metadata.labels"),
        ({"name": "c", "annotations": {"a": "x" * 300_000}}, "metadata.annotations"),
        ({"name": "c", "finalizers": ["a b"]}, "metadata.finalizers[0]"),
        ({"name": "c", "ownerReferences": [{"uid": "1"}]}, "metadata.ownerReferences[0].name"),
    ],
)
def test_metadata_with_one_thing_wrong_is_refused(store: Store, metadata: dict[str, Any], field: str) -> None:
    refused = refusal(store.create, Target(SECRETS, "default"), {"metadata": metadata})
    assert field in {cause.field for cause in refused.causes}


def test_a_collection_is_deleted_as_far_as_nothing_holds_it(store: Store) -> None:
    guarded = a_claim("held")
    guarded["metadata"]["finalizers"] = ["a.b/c"]
    store.create(Target(CLAIMS, "default"), guarded)
    store.create(Target(CLAIMS, "default"), a_claim())
    assert len(store.delete_all(Selection(CLAIMS, "default"))) == 2
    assert [each["metadata"]["name"] for each in store.all(CLAIMS)] == ["held"]
