"""What the Kubernetes API refuses of slices, claims and classes, and which field it names.

Each row is a valid object with one thing wrong. Held against the small API by default, against a real
cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kubeapi.cluster import MERGE, Cluster, a_cluster
from tests.kubeapi.examples import (
    a_claim,
    a_device,
    a_request,
    a_slice,
    a_template,
    an_allocation,
)

pytestmark = pytest.mark.slow

TAINT = {"key": "example.com/sick", "effect": "NoSchedule"}
COUNTERS = {"memory": {"value": "1Gi"}}
CONSUMER = {"apiGroup": "example.com", "resource": "things", "name": "t", "uid": "u-1"}
"""Not a pod: a real cluster takes the reservations of pods that are not there back."""
DEVICES = "spec.devices"
REQUESTS = "spec.devices.requests"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        yield started


def devices(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [a_device(f"gpu-{number}", **fields) for number in range(count)]


def many(count: int, value: Any) -> dict[str, Any]:
    return {f"k{number}": value for number in range(count)}


def policy(multiple: bool = True, **rules: Any) -> list[dict[str, Any]]:
    capacity = {"memory": {"value": "10", "requestPolicy": rules}}
    return [a_device(capacity=capacity, allowMultipleAllocations=multiple)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"driver": None}, "spec.driver"),
        ({"driver": "a_b"}, "spec.driver"),
        ({"driver": "a" * 64}, "spec.driver"),
        ({"pool": {"name": "", "resourceSliceCount": 1}}, "spec.pool.name"),
        ({"pool": {"name": "a//b", "resourceSliceCount": 1}}, "spec.pool.name"),
        ({"pool": {"name": "p", "resourceSliceCount": 0}}, "spec.pool.resourceSliceCount"),
        ({"pool": {"name": "p", "resourceSliceCount": 1, "generation": -1}}, "spec.pool.generation"),
        ({"nodeName": None}, "spec"),
        ({"allNodes": True}, "spec"),
        ({"nodeName": ""}, "spec, spec.nodeName"),
        ({"nodeName": None, "allNodes": False}, "spec, spec.allNodes"),
        (
            {"nodeName": None, "nodeSelector": {"nodeSelectorTerms": []}},
            "spec.nodeSelector.nodeSelectorTerms",
        ),
        ({"devices": devices(129)}, DEVICES),
        ({"devices": devices(65, taints=[TAINT])}, DEVICES),
        ({"devices": [a_device(), a_device()]}, f"{DEVICES}[1]"),
        ({"devices": [a_device("GPU")]}, f"{DEVICES}[0].name"),
        ({"devices": [a_device(attributes=many(33, {"int": 1}))]}, f"{DEVICES}[0]"),
        ({"devices": [a_device(attributes={"a": {}})]}, f"{DEVICES}[0].attributes[a]"),
        ({"devices": [a_device(attributes={"a": {"int": 1, "bool": True}})]}, f"{DEVICES}[0].attributes[a]"),
        (
            {"devices": [a_device(attributes={"a": {"string": "x" * 65}})]},
            f"{DEVICES}[0].attributes[a].string",
        ),
        ({"devices": [a_device(attributes={"a": {"version": "v1"}})]}, f"{DEVICES}[0].attributes[a].version"),
        ({"devices": [a_device(taints=[{"key": "a", "effect": "Maybe"}])]}, f"{DEVICES}[0].taints[0].effect"),
        ({"devices": [a_device(taints=[{"effect": "None"}])]}, f"{DEVICES}[0].taints[0].key"),
        ({"devices": [a_device(taints=[TAINT] * 17)]}, f"{DEVICES}[0].taints"),
        ({"devices": [a_device(nodeName="n")]}, f"{DEVICES}[0]"),
        (
            {"devices": [a_device(consumesCounters=[{"counterSet": "s", "counters": {}}])]},
            f"{DEVICES}[0].consumesCounters[0].counters",
        ),
        (
            {
                "devices": [
                    a_device(consumesCounters=[{"counterSet": n, "counters": COUNTERS} for n in "abc"])
                ]
            },
            f"{DEVICES}[0].consumesCounters",
        ),
        ({"devices": [a_device(bindingConditions=["a"])]}, f"{DEVICES}[0].bindingFailureConditions"),
        ({"sharedCounters": [{"name": "s", "counters": COUNTERS}]}, "spec"),
        (
            {"devices": None, "sharedCounters": [{"name": "s", "counters": {}}]},
            "spec.sharedCounters[0].counters",
        ),
        (
            {"devices": None, "sharedCounters": [{"name": f"s{n}", "counters": COUNTERS} for n in range(9)]},
            "spec.sharedCounters",
        ),
        ({"devices": policy(multiple=False)}, f"{DEVICES}[0].capacity[memory].requestPolicy"),
        ({"devices": policy(validValues=["1"])}, f"{DEVICES}[0].capacity[memory].requestPolicy.default"),
    ],
)
async def test_a_slice_with_one_thing_wrong_is_refused(
    cluster: Cluster, wrong: dict[str, Any], field: str
) -> None:
    spec = {"driver": cluster.driver, **wrong}
    refused = await cluster.ask("POST", cluster.slices, a_slice(cluster.named("s"), **spec))
    assert (refused.code, refused.reason) == (422, "Invalid"), refused.body
    assert refused.fields == set(field.split(", "))
    assert refused.body["details"]["kind"] == "ResourceSlice"


@pytest.mark.parametrize(
    "right",
    [
        {"devices": devices(128)},
        {"devices": devices(64, taints=[TAINT])},
        {"devices": []},
        {"devices": [a_device(attributes=many(32, {"int": 1}))]},
        {"devices": None, "sharedCounters": [{"name": "s", "counters": COUNTERS}]},
        {"nodeName": None, "perDeviceNodeSelection": True, "devices": [a_device(allNodes=True)]},
        {"nodeName": None, "allNodes": True},
        {"devices": policy(default="2", validRange={"min": "1", "max": "9", "step": "1"})},
        {"devices": policy(default="2", validValues=["1", "2", "4"])},
    ],
)
async def test_a_slice_at_the_edge_of_what_is_allowed_is_kept(
    cluster: Cluster, right: dict[str, Any]
) -> None:
    spec = {"driver": cluster.driver, **right}
    await cluster.create(cluster.slices, a_slice(cluster.named("s"), **spec))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"driver": "other.example.com"}, "spec.driver"),
        ({"pool": {"name": "other"}}, "spec.pool.name"),
        ({"nodeName": "other"}, "spec.nodeName"),
        ({"nodeName": None, "allNodes": True}, "spec.nodeName"),
    ],
)
async def test_where_a_slice_belongs_never_changes(
    cluster: Cluster, change: dict[str, Any], field: str
) -> None:
    name = cluster.named("s")
    await cluster.create(cluster.slices, a_slice(name, driver=cluster.driver))
    refused = await cluster.ask("PATCH", f"{cluster.slices}/{name}", {"spec": change}, media=MERGE)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.fields == {field}


def cel(expression: str) -> list[dict[str, Any]]:
    return [{"cel": {"expression": expression}}]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"requests": [a_request(f"r{n}") for n in range(33)]}, REQUESTS),
        ({"requests": [a_request(), a_request()]}, f"{REQUESTS}[1]"),
        ({"requests": [a_request("Big")]}, f"{REQUESTS}[0].name"),
        ({"requests": [{"name": "none"}]}, f"{REQUESTS}[0]"),
        (
            {"requests": [{**a_request(), "firstAvailable": [{"name": "a", "deviceClassName": "x"}]}]},
            f"{REQUESTS}[0]",
        ),
        ({"requests": [a_request(deviceClassName="")]}, f"{REQUESTS}[0].exactly.deviceClassName"),
        ({"requests": [a_request(count=-1)]}, f"{REQUESTS}[0].exactly.count"),
        ({"requests": [a_request(allocationMode="All", count=2)]}, f"{REQUESTS}[0].exactly.count"),
        ({"requests": [a_request(allocationMode="Some")]}, f"{REQUESTS}[0].exactly.allocationMode"),
        (
            {"requests": [a_request(selectors=cel(f"'{'x' * 10240}' == ''"))]},
            f"{REQUESTS}[0].exactly.selectors[0].cel.expression",
        ),
        ({"requests": [a_request(selectors=[{}])]}, f"{REQUESTS}[0].exactly.selectors[0].cel"),
        (
            {"requests": [a_request(tolerations=[{"operator": "Exists", "value": "x"}])]},
            f"{REQUESTS}[0].exactly.tolerations[0].value",
        ),
        (
            {"constraints": [{"requests": ["nic"], "matchAttribute": "a.b/c"}]},
            "spec.devices.constraints[0].requests[0]",
        ),
        ({"constraints": [{"matchAttribute": "c"}]}, "spec.devices.constraints[0].matchAttribute"),
        (
            {"config": [{"requests": ["nic"], "opaque": {"driver": "a.b", "parameters": {}}}]},
            "spec.devices.config[0].requests[0]",
        ),
        ({"config": [{"opaque": {"driver": "a.b"}}]}, "spec.devices.config[0].opaque.parameters"),
        (
            {"config": [{"opaque": {"driver": "a.b", "parameters": "x"}}]},
            "spec.devices.config[0].opaque.parameters",
        ),
        (
            {"config": [{"opaque": {"driver": "a.b", "parameters": {"x": "y" * 10240}}}]},
            "spec.devices.config[0].opaque.parameters",
        ),
    ],
)
async def test_a_claim_with_one_thing_wrong_is_refused(
    cluster: Cluster, wrong: dict[str, Any], field: str
) -> None:
    refused = await cluster.ask("POST", cluster.claims, a_claim("c", **wrong))
    assert (refused.code, refused.reason) == (422, "Invalid"), refused.body
    assert refused.fields == {field}


async def test_what_a_claim_asks_for_never_changes(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    await cluster.create(cluster.templates, a_template("t"))
    for path, kind in (
        (f"{cluster.claims}/c", "ResourceClaim"),
        (f"{cluster.templates}/t", "ResourceClaimTemplate"),
    ):
        body = (await cluster.ask("GET", path)).body
        devices_of = body["spec"]["spec"] if kind.endswith("Template") else body["spec"]
        devices_of["devices"]["requests"][0]["exactly"]["count"] = 2
        refused = await cluster.ask("PUT", path, body)
        assert (refused.code, refused.fields, refused.body["details"]["kind"]) == (422, {"spec"}, kind)


async def test_looking_at_devices_in_use_needs_the_namespace_label(cluster: Cluster) -> None:
    nosy = [a_request(adminAccess=True)]
    for path, wanted in ((cluster.claims, a_claim("c", nosy)), (cluster.templates, a_template("t", nosy))):
        refused = await cluster.ask("POST", path, wanted)
        assert (refused.code, refused.reason) == (422, "Invalid"), refused.body
        assert "resource.kubernetes.io/admin-access" in refused.body["message"]
    leave = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await cluster.ask("PATCH", f"/api/v1/namespaces/{cluster.prefix}", leave, media=MERGE)
    await cluster.create(cluster.claims, a_claim("c", nosy))

    no_leave = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": None}}}
    await cluster.ask("PATCH", f"/api/v1/namespaces/{cluster.prefix}", no_leave, media=MERGE)
    refused = await write_status(cluster, {"allocation": an_allocation(adminAccess=True)})
    assert (refused.code, refused.reason) == (422, "Invalid")


async def test_a_class_may_not_have_an_empty_selector(cluster: Cluster) -> None:
    wanted = {"metadata": {"name": cluster.named("c")}, "spec": {"selectors": [{}]}}
    refused = await cluster.ask("POST", cluster.classes, wanted)
    assert (refused.code, refused.fields) == (422, {"spec.selectors[0].cel"})


async def write_status(cluster: Cluster, status: dict[str, Any], name: str = "c") -> Any:
    body = (await cluster.ask("GET", f"{cluster.claims}/{name}")).body
    return await cluster.ask("PUT", f"{cluster.claims}/{name}/status", {**body, "status": status})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"allocation": an_allocation(request="nic")}, "status.allocation.devices.results[0].request"),
        ({"allocation": an_allocation(driver="")}, "status.allocation.devices.results[0].driver"),
        ({"allocation": an_allocation(pool="")}, "status.allocation.devices.results[0].pool"),
        ({"allocation": an_allocation("GPU")}, "status.allocation.devices.results[0].device"),
        ({"allocation": an_allocation(shareID="me")}, "status.allocation.devices.results[0].shareID"),
        ({"reservedFor": [CONSUMER]}, "status.reservedFor"),
        (
            {"allocation": an_allocation(), "devices": [{"driver": "a.b", "pool": "p", "device": "d"}]},
            "status.devices[0]",
        ),
    ],
)
async def test_a_status_with_one_thing_wrong_is_refused(
    cluster: Cluster, wrong: dict[str, Any], field: str
) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    refused = await write_status(cluster, wrong)
    assert (refused.code, refused.reason) == (422, "Invalid"), refused.body
    assert refused.fields == {field}


async def test_an_allocation_is_written_once_and_then_only_cleared(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    held = {"allocation": an_allocation(), "reservedFor": [CONSUMER]}
    assert (await write_status(cluster, held)).code == 200
    changed = await write_status(cluster, {**held, "allocation": an_allocation("gpu-1")})
    assert (changed.code, changed.fields) == (422, {"status.allocation"})
    half = await write_status(cluster, {"reservedFor": held["reservedFor"]})
    assert (half.code, half.fields) == (422, {"status.reservedFor"})
    assert (await write_status(cluster, {})).code == 200
    assert (await write_status(cluster, {"allocation": an_allocation("gpu-1")})).code == 200


async def test_what_drivers_told_goes_with_the_allocation(cluster: Cluster) -> None:
    await cluster.create(cluster.claims, a_claim("c"))
    allocation = an_allocation()
    result = allocation["devices"]["results"][0]
    told = [{key: result[key] for key in ("driver", "pool", "device")}]
    answer = await write_status(cluster, {"allocation": allocation, "devices": told})
    assert [each["device"] for each in answer.body["status"]["devices"]] == ["gpu-0"]
    cleared = await write_status(cluster, {"devices": told})
    assert cleared.code == 200
    assert "devices" not in cleared.body["status"]


async def test_nobody_new_is_reserved_on_a_claim_that_is_going(cluster: Cluster) -> None:
    guarded = a_claim("c")
    guarded["metadata"]["finalizers"] = ["contract.example.com/hold"]
    await cluster.create(cluster.claims, guarded)
    await write_status(cluster, {"allocation": an_allocation()})
    await cluster.ask("DELETE", f"{cluster.claims}/c")
    refused = await write_status(cluster, {"allocation": an_allocation(), "reservedFor": [CONSUMER]})
    assert (refused.code, refused.fields) == (422, {"status.reservedFor"})
