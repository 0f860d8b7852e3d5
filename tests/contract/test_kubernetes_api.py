"""What Slicewire relies on in the Kubernetes API: objects, versions, patches, lists.

Held against the small API by default, against a real cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kubeapi.cluster import JSON_PATCH, MERGE, STRATEGIC, Cluster, a_cluster
from tests.kubeapi.examples import a_claim, a_device, a_slice, an_allocation

pytestmark = pytest.mark.slow

GUARD = "contract.example.com/hold"
"""No controller of a real cluster takes this one off."""


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        yield started


async def test_an_object_lives_from_creation_to_deletion(cluster: Cluster) -> None:
    name = cluster.named("slice")
    created = await cluster.create(cluster.slices, a_slice(name, driver=cluster.driver))
    path = f"{cluster.slices}/{name}"
    assert created.body["metadata"]["generation"] == 1
    assert created.body["metadata"]["uid"]
    assert (await cluster.ask("GET", path)).body == created.body

    wish = {**created.body, "spec": {**created.body["spec"], "devices": [a_device("gpu-7")]}}
    updated = await cluster.ask("PUT", path, wish)
    assert updated.code == 200
    assert updated.body["metadata"]["generation"] == 2
    assert updated.version != created.version

    deleted = await cluster.ask("DELETE", path)
    assert (deleted.code, deleted.body["kind"]) == (200, "ResourceSlice")
    assert deleted.body["metadata"]["uid"] == created.body["metadata"]["uid"]
    missing = await cluster.ask("GET", path)
    assert (missing.code, missing.reason) == (404, "NotFound")
    assert missing.body["details"] == {"name": name, "group": "resource.k8s.io", "kind": "resourceslices"}


async def test_a_name_is_taken_only_once(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("mine"))
    again = await cluster.ask("POST", cluster.claims, a_claim("mine"))
    assert (again.code, again.reason) == (409, "AlreadyExists")


async def test_generated_names_keep_their_base_cut_to_fit_a_label(cluster: Cluster) -> None:
    base = f"{cluster.prefix}-{'x' * 60}-"
    wanted = a_slice(driver=cluster.driver)
    wanted["metadata"] = {"generateName": base}
    first = await cluster.create(cluster.slices, wanted)
    second = await cluster.create(cluster.slices, wanted)
    names = [first.body["metadata"]["name"], second.body["metadata"]["name"]]
    assert [name[:58] for name in names] == [base[:58]] * 2
    assert [len(name) for name in names] == [63, 63]
    assert names[0] != names[1]
    assert first.body["metadata"]["generateName"] == base


async def test_an_update_from_an_old_version_is_a_conflict(cluster: Cluster) -> None:
    created = await cluster.create(cluster.claims, a_claim("c"))
    path = f"{cluster.claims}/c"
    labelled = await cluster.ask("PATCH", path, {"metadata": {"labels": {"a": "1"}}}, media=MERGE)
    assert labelled.code == 200
    stale = await cluster.ask("PUT", path, created.body)
    assert (stale.code, stale.reason) == (409, "Conflict")
    assert (await cluster.ask("GET", path)).body == labelled.body


async def test_an_update_without_a_version_is_not_fenced(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    wanted = a_claim("c")
    wanted["metadata"]["labels"] = {"a": "1"}
    updated = await cluster.ask("PUT", f"{cluster.claims}/c", wanted)
    assert updated.code == 200
    assert updated.body["metadata"]["labels"] == {"a": "1"}


async def test_an_update_that_changes_nothing_keeps_the_version(cluster: Cluster) -> None:
    created = await cluster.create(cluster.claims, a_claim("c"))
    path = f"{cluster.claims}/c"
    assert (await cluster.ask("PUT", path, created.body)).version == created.version
    assert (await cluster.ask("PATCH", path, {}, media=MERGE)).version == created.version


async def test_an_update_for_another_uid_is_a_conflict(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    other = a_claim("c")
    other["metadata"]["uid"] = "11111111-1111-4111-8111-111111111111"
    refused = await cluster.ask("PUT", f"{cluster.claims}/c", other)
    assert (refused.code, refused.reason) == (409, "Conflict")


async def test_status_and_spec_each_have_a_door_of_their_own(cluster: Cluster) -> None:
    wanted = {**a_claim("c"), "status": {"allocation": an_allocation()}}
    created = await cluster.create(cluster.claims, wanted)
    assert "allocation" not in created.body.get("status", {})

    path = f"{cluster.claims}/c"
    through_spec = await cluster.ask("PUT", path, {**created.body, "status": {"allocation": an_allocation()}})
    assert through_spec.version == created.version

    other_spec = a_claim("c", requests=[])["spec"]
    change = {**created.body, "spec": other_spec, "status": {"allocation": an_allocation()}}
    change["metadata"] = {**change["metadata"], "labels": {"ignored": "yes"}}
    through_status = await cluster.ask("PUT", f"{path}/status", change)
    assert through_status.code == 200
    assert through_status.body["spec"] == created.body["spec"]
    assert "labels" not in through_status.body["metadata"]
    assert through_status.body["status"]["allocation"]["devices"]["results"][0]["device"] == "gpu-0"


async def test_quantities_come_back_in_canonical_notation(cluster: Cluster) -> None:
    capacity = {name: {"value": value} for name, value in (("a", "1024Mi"), ("b", "1000"), ("c", "0.5"))}
    wanted = a_slice(cluster.named("s"), [a_device(capacity=capacity)], driver=cluster.driver)
    created = await cluster.create(cluster.slices, wanted)
    got = created.body["spec"]["devices"][0]["capacity"]
    assert {name: each["value"] for name, each in got.items()} == {"a": "1Gi", "b": "1k", "c": "500m"}


async def test_what_a_claim_leaves_open_is_filled_in(cluster: Cluster) -> None:
    tolerant = {"name": "gpu", "exactly": {"deviceClassName": "x", "tolerations": [{"key": "a"}]}}
    created = await cluster.create(cluster.claims, a_claim("c", [tolerant]))
    exactly = created.body["spec"]["devices"]["requests"][0]["exactly"]
    assert (exactly["allocationMode"], exactly["count"]) == ("ExactCount", 1)
    assert exactly["tolerations"] == [{"key": "a", "operator": "Equal"}]


async def test_a_taint_without_a_time_gets_the_present_one(cluster: Cluster) -> None:
    tainted = a_device(taints=[{"key": "example.com/sick", "effect": "NoSchedule"}])
    created = await cluster.create(
        cluster.slices, a_slice(cluster.named("s"), [tainted], driver=cluster.driver)
    )
    assert created.body["spec"]["devices"][0]["taints"][0]["timeAdded"].endswith("Z")


async def test_a_finalizer_holds_a_deleted_object_until_it_is_taken_off(cluster: Cluster) -> None:
    wanted = a_claim("c")
    wanted["metadata"]["finalizers"] = [GUARD]
    await cluster.create(cluster.claims, wanted)
    path = f"{cluster.claims}/c"
    deleted = await cluster.ask("DELETE", path)
    assert deleted.body["metadata"]["deletionTimestamp"]
    assert (await cluster.ask("GET", path)).code == 200

    more = await cluster.ask("PATCH", path, {"metadata": {"finalizers": [GUARD, "a.b/c"]}}, media=MERGE)
    assert (more.code, more.fields) == (422, {"metadata.finalizers"})

    freed = await cluster.ask("PATCH", path, {"metadata": {"finalizers": None}}, media=MERGE)
    assert freed.code == 200
    assert (await cluster.ask("GET", path)).code == 404


async def test_a_deletion_with_a_wrong_precondition_is_a_conflict(cluster: Cluster) -> None:
    created = await cluster.create(cluster.claims, a_claim("c"))
    path, metadata = f"{cluster.claims}/c", created.body["metadata"]
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    for wrong in ({"uid": "11111111-1111-4111-8111-111111111111"}, {"resourceVersion": "1"}):
        refused = await cluster.ask("DELETE", path, {"preconditions": {**right, **wrong}})
        assert (refused.code, refused.reason) == (409, "Conflict")
    assert (await cluster.ask("DELETE", path, {"preconditions": right})).code == 200


async def test_each_patch_type_says_the_same_change_in_its_own_way(cluster: Cluster) -> None:
    wanted = a_claim("c")
    wanted["metadata"] |= {"labels": {"old": "1"}, "finalizers": ["a.b/first"]}
    await cluster.create(cluster.claims, wanted)
    path = f"{cluster.claims}/c"

    merged = {"metadata": {"labels": {"old": None, "new": "2"}}}
    labels = (await cluster.ask("PATCH", path, merged, media=MERGE)).body["metadata"]["labels"]
    assert labels == {"new": "2"}

    united = {"metadata": {"finalizers": ["a.b/second"]}}
    answer = await cluster.ask("PATCH", path, united, media=STRATEGIC)
    assert set(answer.body["metadata"]["finalizers"]) == {"a.b/first", "a.b/second"}
    answer = await cluster.ask("PATCH", path, united, media=MERGE)
    assert answer.body["metadata"]["finalizers"] == ["a.b/second"]

    operations = [
        {"op": "test", "path": "/metadata/labels/new", "value": "2"},
        {"op": "replace", "path": "/metadata/labels/new", "value": "3"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]
    answer = await cluster.ask("PATCH", path, operations, media=JSON_PATCH)
    assert answer.body["metadata"]["labels"] == {"new": "3"}
    assert "finalizers" not in answer.body["metadata"]
    failed = await cluster.ask("PATCH", path, operations[:1], media=JSON_PATCH)
    assert failed.code == 422


async def test_a_dry_run_answers_and_changes_nothing(cluster: Cluster) -> None:
    answer = await cluster.ask("POST", cluster.claims, a_claim("c"), dryRun="All")
    assert answer.code == 201
    assert (await cluster.ask("GET", f"{cluster.claims}/c")).code == 404


async def test_unknown_fields_are_dropped_unless_the_writer_is_strict(cluster: Cluster) -> None:
    odd = a_claim("c")
    odd["spec"]["colour"] = "green"
    refused = await cluster.ask("POST", cluster.claims, odd, fieldValidation="Strict")
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert 'unknown field "spec.colour"' in refused.body["message"]
    assert "colour" not in (await cluster.create(cluster.claims, odd)).body["spec"]


async def test_a_value_of_the_wrong_type_is_a_bad_request(cluster: Cluster) -> None:
    wrong = a_slice(cluster.named("s"), driver=cluster.driver, pool={"name": "p", "generation": "first"})
    refused = await cluster.ask("POST", cluster.slices, wrong)
    assert (refused.code, refused.reason) == (400, "BadRequest")


async def test_nothing_is_created_in_a_namespace_that_is_not_there(cluster: Cluster) -> None:
    path = cluster.claims.replace(cluster.prefix, f"{cluster.prefix}-nowhere")
    refused = await cluster.ask("POST", path, a_claim("c"))
    assert (refused.code, refused.body["details"]["kind"]) == (404, "namespaces")


async def test_the_devices_are_found_by_discovery(cluster: Cluster) -> None:
    found = await cluster.ask("GET", "/apis/resource.k8s.io/v1")
    names = {each["name"]: each["namespaced"] for each in found.body["resources"]}
    assert names["resourceslices"] is False
    assert names["resourceclaims"] is names["resourceclaims/status"] is True
    assert (await cluster.ask("GET", "/version")).body["major"] == "1"
