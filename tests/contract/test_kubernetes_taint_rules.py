"""What Slicewire relies on of DeviceTaintRules, which not every cluster serves.

Held against the small API by default, against a real cluster where KUBECONFIG names one: of Kubernetes 1.36
with the gate DRADeviceTaintRules and the version v1beta2 on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slicewire.common.model import DeviceTaintRule, wire
from tests.kubeapi.cluster import MERGE, Cluster, a_cluster
from tests.kubeapi.examples import a_taint_rule

pytestmark = pytest.mark.slow

GROUP = "/apis/resource.k8s.io"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        versions = (await started.ask("GET", f"{GROUP}/v1beta2")).body
        if not any(each["name"] == "devicetaintrules" for each in versions.get("resources", ())):
            pytest.skip("the cluster does not serve devicetaintrules in v1beta2")
        yield started


def ours(cluster: Cluster, **fields: Any) -> dict[str, Any]:
    """A rule about devices that nobody has."""
    return a_taint_rule(cluster.named("rule"), driver=cluster.driver, **fields)


async def test_discovery_says_in_which_versions_rules_are_served(cluster: Cluster) -> None:
    listed = (await cluster.ask("GET", f"{GROUP}/v1beta2")).body["resources"]
    assert {each["name"] for each in listed} >= {"devicetaintrules", "devicetaintrules/status"}
    stable = (await cluster.ask("GET", f"{GROUP}/v1")).body["resources"]
    assert "devicetaintrules" not in {each["name"] for each in stable}


async def test_a_version_that_is_not_served_is_not_found_and_neither_are_its_rules(cluster: Cluster) -> None:
    for path in (f"{GROUP}/v9", f"{GROUP}/v1/devicetaintrules", f"{GROUP}/v9/devicetaintrules"):
        assert (await cluster.ask("GET", path)).code == 404


async def test_a_rule_gets_the_time_of_its_taint_and_a_generation(cluster: Cluster) -> None:
    made = (await cluster.create(cluster.taint_rules, ours(cluster, pool="p", device="gpu-0"))).body
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["taint"]["timeAdded"].endswith("Z")
    read = wire.convert(made, DeviceTaintRule)
    selector = read.selector
    assert (selector.driver, selector.pool, selector.device) == (cluster.driver, "p", "gpu-0")
    assert (read.spec.taint.effect, read.metadata.name) == ("NoSchedule", cluster.named("rule"))


async def test_a_rule_may_be_changed_and_its_status_has_a_door_of_its_own(cluster: Cluster) -> None:
    await cluster.create(cluster.taint_rules, ours(cluster))
    path = f"{cluster.taint_rules}/{cluster.named('rule')}"
    effect = {"spec": {"taint": {"effect": "None"}}, "status": {"conditions": []}}
    changed = (await cluster.ask("PATCH", path, effect, media=MERGE)).body
    assert (changed["spec"]["taint"]["effect"], changed["metadata"]["generation"]) == ("None", 2)
    condition = {
        "type": "Told",
        "status": "True",
        "reason": "Told",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    told = (
        await cluster.ask("PATCH", f"{path}/status", {"status": {"conditions": [condition]}}, media=MERGE)
    ).body
    assert "Told" in {each["type"] for each in told["status"]["conditions"]}
    assert told["metadata"]["generation"] == 2


async def test_a_watch_sees_a_rule_come_and_go(cluster: Cluster) -> None:
    listed = (await cluster.ask("GET", cluster.taint_rules)).body
    assert listed["kind"] == "DeviceTaintRuleList"
    since = listed["metadata"]["resourceVersion"]
    await cluster.create(cluster.taint_rules, ours(cluster))
    await cluster.ask("DELETE", f"{cluster.taint_rules}/{cluster.named('rule')}")
    seen = []
    async with cluster.watch(cluster.taint_rules, resourceVersion=since, timeoutSeconds=10) as events:
        async for event in events:
            if event["object"]["metadata"]["name"] == cluster.named("rule"):
                seen.append(event["type"])
            if "DELETED" in seen:
                break
    assert (seen[0], seen[-1]) == ("ADDED", "DELETED")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"deviceSelector": {"driver": "Bad_Driver"}}, "spec.deviceSelector.driver"),
        ({"deviceSelector": {"driver": ""}}, "spec.deviceSelector.driver"),
        ({"deviceSelector": {"pool": "UP"}}, "spec.deviceSelector.pool"),
        ({"deviceSelector": {"device": "x.y"}}, "spec.deviceSelector.device"),
        ({"taint": {"key": "a b", "effect": "None"}}, "spec.taint.key"),
        ({"taint": {"key": "a", "value": "a b", "effect": "None"}}, "spec.taint.value"),
        ({"taint": {"key": "a", "effect": "Other"}}, "spec.taint.effect"),
        ({"taint": {"key": "a"}}, "spec.taint.effect"),
    ],
)
async def test_a_rule_with_one_thing_wrong_is_refused(
    cluster: Cluster, spec: dict[str, Any], field: str
) -> None:
    wanted = ours(cluster)
    wanted["spec"] |= spec
    refused = await cluster.ask("POST", cluster.taint_rules, wanted, dryRun="All")
    assert (refused.code, refused.fields) == (422, {field})


async def test_a_rule_without_a_selector_is_kept_and_is_about_every_device(cluster: Cluster) -> None:
    wanted = ours(cluster, effect="None")
    del wanted["spec"]["deviceSelector"]
    kept = await cluster.ask("POST", cluster.taint_rules, wanted, dryRun="All")
    assert kept.code == 201
    assert wire.convert(kept.body, DeviceTaintRule).spec.device_selector is None
