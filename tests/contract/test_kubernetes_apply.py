"""What Slicewire relies on in server-side apply: fields have owners, and nobody takes one unasked.

Held against the small API by default, against a real cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kubeapi.cluster import APPLY, MERGE, Answer, Cluster, a_cluster
from tests.kubeapi.examples import a_claim, a_slice, an_allocation

pytestmark = pytest.mark.slow


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        yield started


def config(name: str, data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": data,
    }


async def apply(cluster: Cluster, manager: str, data: dict[str, str], **query: str) -> Answer:
    path = f"{cluster.config_maps}/c"
    return await cluster.ask("PATCH", path, config("c", data), media=APPLY, fieldManager=manager, **query)


async def test_applying_what_is_not_there_creates_it(cluster: Cluster) -> None:
    created = await apply(cluster, "one", {"a": "1"})
    assert created.code == 201
    assert created.body["data"] == {"a": "1"}
    (entry,) = created.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


async def test_applying_the_same_again_changes_nothing(cluster: Cluster) -> None:
    created = await apply(cluster, "one", {"a": "1"})
    again = await apply(cluster, "one", {"a": "1"})
    assert (again.code, again.version) == (200, created.version)


async def test_two_appliers_share_an_object_field_by_field(cluster: Cluster) -> None:
    await apply(cluster, "one", {"a": "1", "both": "x"})
    both = await apply(cluster, "two", {"b": "2", "both": "x"})
    assert both.body["data"] == {"a": "1", "b": "2", "both": "x"}
    less = await apply(cluster, "one", {})
    assert less.body["data"] == {"b": "2", "both": "x"}


async def test_changing_what_another_applied_is_a_conflict_that_names_field_and_owner(
    cluster: Cluster,
) -> None:
    before = await apply(cluster, "one", {"a": "1"})
    refused = await apply(cluster, "two", {"a": "2"})
    assert (refused.code, refused.reason, refused.fields) == (409, "Conflict", {".data.a"})
    assert 'conflict with "one"' in refused.body["message"]
    (cause,) = refused.body["details"]["causes"]
    assert cause["reason"] == "FieldManagerConflict"
    assert (await cluster.ask("GET", f"{cluster.config_maps}/c")).version == before.version


async def test_a_forced_apply_takes_the_field_over(cluster: Cluster) -> None:
    await apply(cluster, "one", {"a": "1"})
    forced = await apply(cluster, "two", {"a": "2"}, force="true")
    assert forced.body["data"] == {"a": "2"}
    assert {each["manager"] for each in forced.body["metadata"]["managedFields"]} == {"two"}
    refused = await apply(cluster, "one", {"a": "3"})
    assert refused.code == 409


async def test_a_plain_update_owns_what_it_changes(cluster: Cluster) -> None:
    await apply(cluster, "one", {"a": "1", "b": "1"})
    path = f"{cluster.config_maps}/c"
    await cluster.ask("PATCH", path, {"data": {"a": "2"}}, media=MERGE, fieldManager="editor")
    refused = await apply(cluster, "one", {"a": "1", "b": "1"})
    assert (refused.code, refused.fields) == (409, {".data.a"})
    assert 'conflict with "editor"' in refused.body["message"]


async def test_an_apply_must_say_who_applies(cluster: Cluster) -> None:
    refused = await cluster.ask("PATCH", f"{cluster.config_maps}/c", config("c", {}), media=APPLY)
    assert (refused.code, refused.fields) == (422, {"fieldManager"})


async def test_the_devices_of_a_slice_are_applied_as_one(cluster: Cluster) -> None:
    name = cluster.named("s")
    path = f"{cluster.slices}/{name}"
    wanted = a_slice(name, [{"name": "a"}, {"name": "b"}], driver=cluster.driver)
    await cluster.ask("PATCH", path, wanted, media=APPLY, fieldManager="driver")
    fewer = a_slice(name, [{"name": "b"}], driver=cluster.driver)
    answer = await cluster.ask("PATCH", path, fewer, media=APPLY, fieldManager="driver")
    assert [device["name"] for device in answer.body["spec"]["devices"]] == ["b"]
    assert answer.body["metadata"]["generation"] == 2


async def test_two_drivers_tell_of_their_own_devices_side_by_side(cluster: Cluster) -> None:
    requests = [{"name": name, "exactly": {"deviceClassName": "x"}} for name in ("gpu", "nic")]
    claim = (await cluster.create(cluster.claims, a_claim("c", requests))).body
    allocation = an_allocation()
    nic = {"request": "nic", "driver": "nic.example.com", "pool": "node-1", "device": "nic-0"}
    allocation["devices"]["results"].append(nic)
    path = f"{cluster.claims}/c/status"
    assert (await cluster.ask("PUT", path, {**claim, "status": {"allocation": allocation}})).code == 200

    for each in allocation["devices"]["results"]:
        told = {key: each[key] for key in ("driver", "pool", "device")}
        body = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"name": "c"},
            "status": {"devices": [{**told, "data": {"seen": True}}]},
        }
        answer = await cluster.ask("PATCH", path, body, media=APPLY, fieldManager=each["driver"])
        assert answer.code == 200, answer.body
    assert {each["device"] for each in answer.body["status"]["devices"]} == {"gpu-0", "nic-0"}
    assert answer.body["status"]["allocation"] == allocation
