"""Admins' taint rules: told in the version that is served, and nothing is amiss where none is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.common.messages import INVENTORY, TAINT_RULES, TaintRuleObserved
from slicewire.common.model import (
    DeviceTaint,
    DeviceTaintRule,
    DeviceTaintRuleSpec,
    DriverName,
    ObjectMeta,
)
from slicewire.publisher import kube, watched
from slicewire.publisher.served import follow_served
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import NODE, Object, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER, a_taint_rule
from tests.kubeapi.faults import Match, Refuse
from tests.kubeapi.server import KubeApi
from tests.kubeapi.targets import Target

pytestmark = pytest.mark.slow

RULE = "rule-1"
EVERY_VERSION = {each.version: each for each in kinds.EVERY_TAINT_RULES}


def add_rule(world: World, version: str = "v1beta2", **fields: str) -> Object:
    return world.create(EVERY_VERSION[version], a_taint_rule(version=version, driver=DRIVER, **fields))


async def is_told(world: World, effect: str = "NoSchedule") -> TaintRuleObserved:
    fact = await world.hears(TAINT_RULES, RULE, lambda fact: fact and fact.rule.spec.taint.effect == effect)
    assert isinstance(fact, TaintRuleObserved)
    return fact


async def is_forgotten(world: World) -> None:
    while await world.latest(TAINT_RULES):
        await world.hears(TAINT_RULES, RULE, lambda fact: fact is None)


@pytest.mark.parametrize("version", EVERY_VERSION)
async def test_a_rule_is_told_in_the_version_that_is_served(
    world: World, tmp_path: Path, version: str
) -> None:
    world.api.serve_taint_rules(EVERY_VERSION[version])
    add_rule(world, version, pool=NODE, device="gpu-0")
    async with publishing(world.bus, world.api, tmp_path):
        rule = (await is_told(world)).rule
    assert (rule.selector.driver, rule.selector.pool, rule.selector.device) == (DRIVER, NODE, "gpu-0")
    assert (rule.spec.taint.key, rule.spec.taint.effect) == ("example.com/maintenance", "NoSchedule")
    assert rule.metadata.creation_timestamp


@pytest.mark.usefixtures("publisher")
async def test_a_rule_is_told_again_when_it_changes_and_forgotten_when_it_is_gone(world: World) -> None:
    add_rule(world)
    await is_told(world)
    world.change(kinds.TAINT_RULES, RULE, lambda each: each["spec"]["taint"].update(effect="NoExecute"))
    await is_told(world, "NoExecute")
    world.delete(kinds.TAINT_RULES, RULE)
    await is_forgotten(world)


@pytest.mark.usefixtures("publisher")
async def test_what_the_eviction_controller_says_of_a_rule_is_not_news(world: World) -> None:
    add_rule(world)
    await is_told(world)
    before = await world.latest(TAINT_RULES)
    world.change(kinds.TAINT_RULES, RULE, _evicting, "status")
    world.create(kinds.TAINT_RULES, a_taint_rule("later"))
    await world.hears(TAINT_RULES, "later", bool)
    assert (await world.latest(TAINT_RULES))[RULE] == before[RULE]


def _evicting(rule: Object) -> None:
    condition = {"type": "EvictionInProgress", "status": "True", "reason": "PodsPendingEviction"}
    rule["status"] = {"conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}


async def test_a_rule_that_went_while_nobody_looked_is_forgotten(world: World, tmp_path: Path) -> None:
    add_rule(world)
    async with publishing(world.bus, world.api, tmp_path):
        await is_told(world)
    world.delete(kinds.TAINT_RULES, RULE)
    async with publishing(world.bus, world.api, tmp_path):
        await is_forgotten(world)


async def test_where_rules_are_no_longer_served_those_told_before_are_forgotten(
    world: World, tmp_path: Path
) -> None:
    add_rule(world)
    async with publishing(world.bus, world.api, tmp_path):
        await is_told(world)
    world.api.serve_taint_rules(None)
    async with publishing(world.bus, world.api, tmp_path):
        await is_forgotten(world)


async def test_where_no_version_is_served_all_else_goes_on_and_nothing_is_complained_about(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world.api.serve_taint_rules(None)
    async with publishing(world.bus, world.api, tmp_path) as publisher:
        await world.tell_pool(gpus(2))
        await world.until(world.slices)
        assert publisher.is_ready()
    assert not [call for call in world.api.calls if call.resource == "devicetaintrules"]
    assert "interrupted" not in "".join(capfd.readouterr())


async def test_a_rule_that_came_over_the_bus_is_not_the_publishers_to_forget(
    world: World, publisher: Publisher
) -> None:
    taint = DeviceTaint(key="example.com/ours", effect="NoSchedule")
    rule = DeviceTaintRule(metadata=ObjectMeta(name="ours"), spec=DeviceTaintRuleSpec(taint=taint))
    await world.bus.tell(TAINT_RULES, TaintRuleObserved(rule=rule))
    await world.settled()
    assert list(await world.latest(TAINT_RULES)) == ["ours"]
    assert publisher.is_ready()


@pytest.mark.usefixtures("publisher")
async def test_the_taints_of_rules_are_not_published_with_the_devices(world: World) -> None:
    add_rule(world)
    await is_told(world)
    await world.tell_pool(gpus(1))
    await world.settled()
    (published,) = world.slices()
    assert "taints" not in published["spec"]["devices"][0]
    told = (await world.latest(INVENTORY))[NODE][1]
    assert (told.driver, told.devices[0].taints) == (DriverName(DRIVER), ())


async def test_an_upgrade_is_noticed_while_we_run(api: KubeApi, tmp_path: Path) -> None:
    """From not served at all to v1beta2 to v1; a server that fails in between is waited for."""
    kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
    api.serve_taint_rules(None)
    async with asyncio.timeout(15), kube.connected(str(kubeconfig), "") as reached:
        events = follow_served(reached, watched.TAINT_RULES, again_seconds=0.02)
        assert await anext(events) == watched.Listed(())
        for version in ("v1beta2", "v1"):
            kind = EVERY_VERSION[version]
            api.store.create(Target(kind), a_taint_rule(version=version, effect="None"))
            api.faults.inject(Refuse(503), Match(resource="devicetaintrules"))
            api.serve_taint_rules(kind)
            event = await anext(events)
            while not (isinstance(event, watched.Listed) and event.objects):
                event = await anext(events)
            assert [each.spec.taint.effect for each in event.objects] == ["None"]
