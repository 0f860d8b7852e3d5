"""What Slicewire relies on in the Kubernetes API: lists, selectors, and watches that miss nothing.

Held against the small API by default, against a real cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kubeapi.cluster import MERGE, Cluster, a_cluster
from tests.kubeapi.examples import a_claim, a_slice

pytestmark = pytest.mark.slow


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        yield started


def names(listed: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


async def label(cluster: Cluster, name: str, **labels: str | None) -> None:
    path = f"{cluster.claims}/{name}"
    assert (await cluster.ask("PATCH", path, {"metadata": {"labels": labels}}, media=MERGE)).code == 200


async def test_a_list_says_of_which_kind_and_revision_it_is(cluster: Cluster) -> None:
    created = await cluster.create(cluster.claims, a_claim("c"))
    listed = (await cluster.ask("GET", cluster.claims)).body
    assert (listed["kind"], listed["apiVersion"]) == ("ResourceClaimList", "resource.k8s.io/v1")
    assert int(listed["metadata"]["resourceVersion"]) >= int(created.version)
    assert names(listed) == ["c"]
    assert "kind" not in listed["items"][0]


async def test_slices_are_selected_by_node_and_driver(cluster: Cluster) -> None:
    first, second = cluster.named("a"), cluster.named("b")
    await cluster.create(cluster.slices, a_slice(first, driver=cluster.driver, nodeName=first))
    await cluster.create(cluster.slices, a_slice(second, driver=cluster.driver, nodeName=second))
    ours = f"spec.driver={cluster.driver}"
    assert names((await cluster.ask("GET", cluster.slices, fieldSelector=ours)).body) == [first, second]
    one = f"{ours},spec.nodeName={second}"
    assert names((await cluster.ask("GET", cluster.slices, fieldSelector=one)).body) == [second]
    other = f"{ours},spec.nodeName!={second}"
    assert names((await cluster.ask("GET", cluster.slices, fieldSelector=other)).body) == [first]
    refused = await cluster.ask("GET", cluster.slices, fieldSelector="spec.colour=green")
    assert refused.code == 400
    assert (
        "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.colour"
        in (refused.body["message"])
    )


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=a", ["one"]),
        ("app==a", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a, b)", ["one", "two"]),
        ("app notin (a)", ["three", "two"]),
        ("app", ["one", "two"]),
        ("!app", ["three"]),
        ("app in (a,b),tier=x", ["two"]),
    ],
)
async def test_objects_are_selected_by_label(cluster: Cluster, selector: str, found: list[str]) -> None:
    for name, labels in (("one", {"app": "a"}), ("two", {"app": "b", "tier": "x"}), ("three", {})):
        wanted = a_claim(name)
        wanted["metadata"]["labels"] = labels
        await cluster.create(cluster.claims, wanted)
    assert names((await cluster.ask("GET", cluster.claims, labelSelector=selector)).body) == found


async def test_a_list_in_pages_is_the_list_of_one_moment(cluster: Cluster) -> None:
    for name in "abcde":
        await cluster.create(cluster.claims, a_claim(name))
    first = (await cluster.ask("GET", cluster.claims, limit=2)).body
    assert names(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await cluster.ask("DELETE", f"{cluster.claims}/c")
    await cluster.create(cluster.claims, a_claim("bb"))

    seen, page = [], first
    while token := page["metadata"].get("continue"):
        page = (await cluster.ask("GET", cluster.claims, **{"limit": 2, "continue": token})).body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += names(page)
    assert seen == ["c", "d", "e"]


async def test_a_watch_from_a_list_sees_exactly_what_came_later(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("before"))
    listed = (await cluster.ask("GET", cluster.claims)).body
    await cluster.create(cluster.claims, a_claim("between"))
    async with cluster.watch(cluster.claims, resourceVersion=listed["metadata"]["resourceVersion"]) as events:
        assert told(await anext(events)) == ("ADDED", "between")
        await label(cluster, "before", a="1")
        await cluster.ask("DELETE", f"{cluster.claims}/between")
        modified, deleted = await anext(events), await anext(events)
    assert told(modified) == ("MODIFIED", "before")
    assert told(deleted) == ("DELETED", "between")
    assert modified["object"]["kind"] == "ResourceClaim"
    versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in (modified, deleted)]
    assert versions == sorted(versions)


async def test_a_watch_without_a_version_begins_with_the_present(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("here"))
    async with cluster.watch(cluster.claims) as events:
        assert told(await anext(events)) == ("ADDED", "here")


async def test_a_watch_with_a_selector_sees_objects_come_and_go(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    version = (await cluster.ask("GET", cluster.claims)).body["metadata"]["resourceVersion"]
    async with cluster.watch(cluster.claims, labelSelector="a=1", resourceVersion=version) as events:
        await label(cluster, "c", a="1")
        assert told(await anext(events)) == ("ADDED", "c")
        await label(cluster, "c", b="2")
        assert told(await anext(events)) == ("MODIFIED", "c")
        await label(cluster, "c", a="2")
        assert told(await anext(events)) == ("DELETED", "c")


async def test_a_watch_sees_only_the_slices_it_asked_for(cluster: Cluster) -> None:
    version = (await cluster.ask("GET", cluster.slices)).body["metadata"]["resourceVersion"]
    mine = f"spec.driver={cluster.driver},spec.nodeName={cluster.prefix}"
    async with cluster.watch(cluster.slices, fieldSelector=mine, resourceVersion=version) as events:
        await cluster.create(cluster.slices, a_slice(cluster.named("other"), driver=cluster.driver))
        await cluster.create(
            cluster.slices, a_slice(cluster.named("mine"), driver=cluster.driver, nodeName=cluster.prefix)
        )
        assert told(await anext(events)) == ("ADDED", cluster.named("mine"))


async def test_the_initial_events_end_with_a_bookmark(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    async with cluster.watch(
        cluster.claims,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    ) as events:
        assert told(await anext(events)) == ("ADDED", "c")
        end = await anext(events)
        assert end["type"] == "BOOKMARK"
        assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await label(cluster, "c", a="1")
        assert told(await anext(events)) == ("MODIFIED", "c")


async def test_initial_events_must_say_how_old_they_may_be(cluster: Cluster) -> None:
    refused = await cluster.ask("GET", cluster.claims, watch="true", sendInitialEvents="true")
    assert (refused.code, refused.fields) == (422, {"resourceVersionMatch"})


async def test_a_watch_ends_at_its_timeout(cluster: Cluster) -> None:
    version = (await cluster.create(cluster.claims, a_claim("c"))).version
    async with cluster.watch(cluster.claims, resourceVersion=version, timeoutSeconds=1) as events:
        assert [each async for each in events] == []


async def test_a_watch_says_how_far_it_has_come(cluster: Cluster) -> None:
    seconds = 1 if cluster.small else 5
    version = (await cluster.create(cluster.claims, a_claim("c"))).version
    async with cluster.watch(
        cluster.claims, resourceVersion=version, timeoutSeconds=seconds, allowWatchBookmarks="true"
    ) as events:
        bookmark = await anext(events)
    assert bookmark["type"] == "BOOKMARK"
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) >= int(version)


async def test_what_is_too_old_is_gone(cluster: Cluster) -> None:
    if cluster.small is None:
        pytest.skip("a real cluster forgets after minutes, and not on request")
    old = (await cluster.create(cluster.claims, a_claim("a"))).version
    await cluster.create(cluster.claims, a_claim("b"))
    page = (await cluster.ask("GET", cluster.claims, limit=1)).body
    await cluster.create(cluster.claims, a_claim("c"))
    cluster.small.store.history.compact()

    async with cluster.watch(cluster.claims, resourceVersion=old) as events:
        error = await anext(events)
        assert [each async for each in events] == []
    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
    rest = await cluster.ask("GET", cluster.claims, **{"limit": 1, "continue": page["metadata"]["continue"]})
    assert (rest.code, rest.reason) == (410, "Expired")


async def test_a_list_newer_than_the_present_is_refused_for_now(cluster: Cluster) -> None:
    version = int((await cluster.create(cluster.claims, a_claim("c"))).version) + 1_000_000
    refused = await cluster.ask("GET", cluster.claims, resourceVersion=version)
    assert (refused.code, refused.reason) == (504, "Timeout")


async def test_a_collection_is_deleted_by_selector(cluster: Cluster) -> None:
    for name in ("a", "b"):
        await cluster.create(cluster.claims, a_claim(name))
    await label(cluster, "a", go="yes")
    deleted = await cluster.ask("DELETE", cluster.claims, labelSelector="go=yes")
    assert deleted.code == 200
    assert names((await cluster.ask("GET", cluster.claims)).body) == ["b"]
