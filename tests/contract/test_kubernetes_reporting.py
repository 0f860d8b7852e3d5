"""What the publisher relies on when it reports: Events that count, device status, and the betas.

Held against the small API by default, against a real cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slicewire.common.model import ResourceClaim, ResourceSlice, wire
from slicewire.publisher import watched
from slicewire.publisher.core.classes import profile_class
from slicewire.publisher.core.devicestatus import Readiness, entries
from slicewire.publisher.core.occurrences import Occurrence, Regarding, event, name_of, series
from slicewire.publisher.core.versions import Dialect, written
from tests.kubeapi.cluster import APPLY, MERGE, Cluster, a_cluster
from tests.kubeapi.examples import DRIVER, a_claim, a_request, a_slice, an_allocation

NOW = "2026-01-01T00:00:00.000001Z"
BETA = "/apis/resource.k8s.io/v1beta1"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        if started.small is not None:
            started.small.serve_release(36, "v1", "v1beta2", "v1beta1")
        yield started


async def test_an_event_is_created_once_and_then_counts(cluster: Cluster) -> None:
    about = Regarding("Pod", "v1", "p", "some-uid", cluster.prefix)
    told = Occurrence(about, "DevicesRefused", "why not" * 400, "Warning")
    collection = f"/apis/events.k8s.io/v1/namespaces/{cluster.prefix}/events"
    await cluster.create(collection, event(told, "publisher", NOW))
    assert (await cluster.ask("POST", collection, event(told, "publisher", NOW))).code == 409
    counted = await cluster.ask("PATCH", f"{collection}/{name_of(told)}", series(2, NOW), media=MERGE)
    assert (counted.code, counted.body["series"]["count"]) == (200, 2), counted.body


async def test_device_status_comes_changes_and_goes(cluster: Cluster) -> None:
    made = await cluster.create(cluster.claims, a_claim("c"))
    path = f"{cluster.claims}/c/status"
    status = {"status": {"allocation": an_allocation()}}
    claim = (await cluster.ask("PATCH", path, status, media=MERGE)).body
    ready = Readiness(drivers={DRIVER}, prepared={("node-1", "gpu-0")})
    failed = Readiness(drivers={DRIVER}, error="gone")
    for told, reasons in ((failed, ["PrepareFailed"]), (ready, ["Prepared"]), (None, [])):
        wanted = entries(wire.convert(claim, ResourceClaim), told, "2026-01-01T00:00:00Z")
        body: dict[str, Any] = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"name": "c", "uid": made.body["metadata"]["uid"]},
            "status": {"devices": list(wanted)},
        }
        answer = await cluster.ask("PATCH", path, body, media=APPLY, fieldManager="slicewire", force="true")
        assert answer.code == 200, answer.body
        claim = answer.body
        found = claim["status"].get("devices", [])
        assert [each["conditions"][0]["reason"] for each in found] == reasons
        assert claim["status"]["allocation"] == an_allocation()


async def test_a_slice_of_v1beta1_is_the_same_slice_in_v1(cluster: Cluster) -> None:
    if (await cluster.ask("GET", BETA)).code == 404:
        pytest.skip("the cluster does not serve v1beta1")
    sent = a_slice(cluster.named("s"), driver=cluster.driver)
    made = await cluster.create(f"{BETA}/resourceslices", written(sent, Dialect("v1beta1")))
    stable = (await cluster.ask("GET", f"{cluster.slices}/{cluster.named('s')}")).body
    read = watched.read(wire.encode(made.body), ResourceSlice, "v1beta1")
    assert read == wire.convert(stable, ResourceSlice)
    assert stable["spec"]["devices"] == sent["spec"]["devices"]


async def test_a_claim_of_v1beta1_is_read_as_in_v1(cluster: Cluster) -> None:
    if (await cluster.ask("GET", BETA)).code == 404:
        pytest.skip("the cluster does not serve v1beta1")
    choice = {"name": "any", "firstAvailable": [{"name": "fast", "deviceClassName": "x.example.com"}]}
    await cluster.create(cluster.claims, a_claim("c", [a_request(count=2), choice]))
    old = (await cluster.ask("GET", f"{BETA}/namespaces/{cluster.prefix}/resourceclaims/c")).body
    new = (await cluster.ask("GET", f"{cluster.claims}/c")).body
    assert watched.read(wire.encode(old), ResourceClaim, "v1beta1") == wire.convert(new, ResourceClaim)


@pytest.mark.parametrize("profile", ["1g.12gb", "1g.12gb+me", "7g.80gb", "1g.5gb+gfx"])
async def test_the_class_of_a_profile_is_accepted(cluster: Cluster, profile: str) -> None:
    made = await cluster.ask("POST", cluster.classes, wire.document(profile_class(profile)), dryRun="All")
    assert made.code == 201, made.body
