"""`slicewire taint -f` and `untaint`: rules without Kubernetes, and beside it."""

from __future__ import annotations

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import TAINT_RULES, TaintRuleObserved
from slicewire.common.model import DeviceTaint, DeviceTaintRule, DeviceTaintRuleSpec, ObjectMeta
from tests.component.allocator.world import World
from tests.component.client.command import ALLOCATE, Slicewire, yaml_claim

pytestmark = pytest.mark.slow

RULE = """
apiVersion: resource.k8s.io/v1beta2
kind: DeviceTaintRule
metadata: {name: fans, creationTimestamp: "2026-01-01T00:00:00Z", resourceVersion: "7"}
spec:
  deviceSelector: {pool: node-a}
  taint: {key: example.com/fans, effect: NoSchedule}
status: {conditions: []}
"""


async def test_a_rule_as_kubectl_prints_it_keeps_claims_away_until_it_is_taken_back(
    world: World, slicewire: Slicewire
) -> None:
    tainted = await slicewire("taint", "-f", "-", given=RULE)
    assert (tainted.status, tainted.out) == (0, "taint rule fans is known\n")
    ended = await slicewire(*ALLOCATE, "-o", "table", given=yaml_claim())
    assert ended.status == 1
    assert "tainted by DeviceTaintRule fans: example.com/fans:NoSchedule" in ended.out
    assert (await slicewire("untaint", "fans")).out == "taint rule fans is gone\n"
    assert (await slicewire(*ALLOCATE, given=yaml_claim())).status == 0
    assert len(await world.held()) == 1


async def test_a_rule_that_is_not_there_cannot_be_taken_back(slicewire: Slicewire) -> None:
    ended = await slicewire("untaint", "fans")
    assert (ended.status, ended.err) == (1, "there is no taint rule fans\n")


async def test_a_rule_of_kubernetes_is_changed_there(bus: NatsBus, slicewire: Slicewire) -> None:
    spec = DeviceTaintRuleSpec(taint=DeviceTaint(key="a", effect="None"))
    meta = ObjectMeta(name="fans", creation_timestamp="2026-01-01T00:00:00Z")
    await bus.tell(TAINT_RULES, TaintRuleObserved(rule=DeviceTaintRule(metadata=meta, spec=spec)))
    for ended in (await slicewire("untaint", "fans"), await slicewire("taint", "-f", "-", given=RULE)):
        assert ended.status == 1
        assert ended.err == "taint rule fans belongs to Kubernetes: change it there\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (RULE.replace("pool:", "selectors:"), "selectors"),
        (RULE.replace("spec:", "spec:\n  tiant: {}"), "tiant"),
        (RULE.replace("v1beta2", "v1beta1"), "resource.k8s.io/v1beta1"),
        (RULE.replace("name: fans,", ""), "metadata.name is missing"),
        (yaml_claim(), "there is no DeviceTaintRule"),
    ],
)
async def test_a_file_that_does_not_say_a_rule_is_refused_with_the_reason(
    slicewire: Slicewire, written: str, told: str
) -> None:
    ended = await slicewire("taint", "-f", "-", given=written)
    assert ended.status == 2
    assert told in ended.err
