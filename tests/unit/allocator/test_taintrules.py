"""Taints of rules: as good as the devices' own, worked out where they change something and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.census import capacity_of
from slicewire.allocator.core.changes import cheapest_change
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import NodeView, Snapshot
from slicewire.allocator.core.taints import SILENT
from slicewire.common.model import (
    ChangeKind,
    DeviceTaint,
    DeviceTaintRule,
    DeviceTaintRuleSpec,
    DeviceToleration,
    NodeName,
    ObjectMeta,
    ResourceSlice,
    Unsatisfiable,
)
from tests.builders import (
    CLASS,
    DRIVER,
    NODE,
    a_claim,
    a_gpu,
    a_holding,
    a_pool,
    a_slice,
    a_snapshot,
    a_taint_rule,
    exactly,
)

OTHER = NodeName("node-b")
NODES = (NODE, OTHER, NodeName("node-c"))
OWN = DeviceTaint(key="health", value="poor", effect="NoSchedule")
EFFECTS = ("None", "NoSchedule", "NoExecute")
TOLERANT = a_claim(
    gpus=exactly(2, tolerations=[DeviceToleration(key="k", operator="Exists")]), name="tolerant"
)
CLAIMS = (a_claim(1, name="one"), a_claim(3, name="three"), TOLERANT)


def two_nodes() -> Snapshot:
    return a_snapshot(*a_pool(2), *a_pool(2, node=OTHER))


def tainted_devices(snapshot: Snapshot, node: NodeName = NODE) -> dict[str, list[str]]:
    """The keys of the taints of each device that has any."""
    candidates = snapshot.stock(node, DEFAULT).candidates
    return {
        each.device.name: [taint.key for taint in each.device.taints]
        for each in candidates
        if each.device.taints
    }


@pytest.mark.parametrize(
    ("selector", "here", "there"),
    [
        ({}, ["gpu-0", "gpu-1"], ["gpu-0", "gpu-1"]),
        ({"driver": DRIVER}, ["gpu-0", "gpu-1"], ["gpu-0", "gpu-1"]),
        ({"driver": "other.example.com"}, [], []),
        ({"pool": OTHER}, [], ["gpu-0", "gpu-1"]),
        ({"device": "gpu-1"}, ["gpu-1"], ["gpu-1"]),
        ({"driver": DRIVER, "pool": NODE, "device": "gpu-0"}, ["gpu-0"], []),
        ({"driver": "other.example.com", "pool": NODE, "device": "gpu-0"}, [], []),
        ({"driver": DRIVER, "pool": NODE, "device": "gpu-7"}, [], []),
    ],
)
def test_a_rule_taints_the_devices_that_match_all_it_gives(
    selector: dict[str, str], here: list[str], there: list[str]
) -> None:
    snapshot = two_nodes().with_taint_rule(a_taint_rule(**selector))  # type: ignore[arg-type]  # all of them text

    assert list(tainted_devices(snapshot)) == here
    assert list(tainted_devices(snapshot, OTHER)) == there


def test_a_rule_without_a_selector_taints_every_device() -> None:
    spec = DeviceTaintRuleSpec(taint=OWN)
    snapshot = two_nodes().with_taint_rule(DeviceTaintRule(metadata=ObjectMeta(name="all"), spec=spec))

    assert list(tainted_devices(snapshot)) == ["gpu-0", "gpu-1"]


def test_taints_of_rules_follow_the_devices_own_in_order_of_the_rules_names() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(taints=[OWN])]))
    for name in ("b", "a"):
        snapshot = snapshot.with_taint_rule(a_taint_rule(name))

    assert tainted_devices(snapshot) == {"gpu-0": ["health", "example.com/a", "example.com/b"]}


def test_pools_that_come_after_the_rule_are_tainted_too_and_kept_as_they_were_told() -> None:
    (pool,) = a_pool(1)
    snapshot = a_snapshot().with_taint_rule(a_taint_rule()).with_slices(NODE, DRIVER, (pool,))

    assert list(tainted_devices(snapshot)) == ["gpu-0"]
    assert snapshot.slices(NODE, DRIVER) == (pool,)
    assert snapshot.with_slices(NODE, DRIVER, a_pool(1)) is snapshot


def test_slices_of_no_node_are_tainted_for_all_nodes() -> None:
    everywhere = a_slice([a_gpu()], node=None, pool="net", all_nodes=True)
    snapshot = a_snapshot(everywhere, *a_pool(1)).with_taint_rule(a_taint_rule(pool="net"))
    asked = place([a_claim(2)], snapshot, [NODE])

    assert isinstance(asked, Unsatisfiable)
    assert isinstance(place([a_claim(2)], snapshot.without_taint_rule("maintenance"), [NODE]), Placement)


def test_telling_the_same_rule_twice_or_taking_back_one_that_is_not_there_changes_nothing() -> None:
    snapshot = two_nodes().with_taint_rule(a_taint_rule())

    assert snapshot.with_taint_rule(a_taint_rule()) is snapshot
    assert snapshot.without_taint_rule("another") is snapshot


def test_only_the_pools_whose_taints_change_are_worked_out_anew() -> None:
    before = two_nodes()
    here, there = before.stock(NODE, DEFAULT), before.stock(OTHER, DEFAULT)

    after = before.with_taint_rule(a_taint_rule(pool=OTHER))
    widened = after.with_taint_rule(a_taint_rule(pool=OTHER, device="gpu-0"))
    retimed = widened.with_taint_rule(a_taint_rule("of-nobody", pool="nobody"))

    assert after.stock(NODE, DEFAULT) is here
    assert after.stock(OTHER, DEFAULT) is not there
    assert list(tainted_devices(widened, OTHER)) == ["gpu-0"]
    assert retimed.stock(OTHER, DEFAULT) is widened.stock(OTHER, DEFAULT)


def test_without_rules_slices_are_shared_as_they_are() -> None:
    snapshot = two_nodes()

    assert snapshot.local_slices(NODE)[0] is snapshot.slices(NODE, DRIVER)[0]


def test_nodes_stay_alike_when_a_rule_taints_them_alike() -> None:
    snapshot = two_nodes().with_taint_rule(a_taint_rule(device="gpu-0"))

    assert snapshot.stock(NODE, DEFAULT).layout is snapshot.stock(OTHER, DEFAULT).layout


@pytest.mark.parametrize("effect", EFFECTS)
def test_what_a_rule_keeps_back_is_not_free(effect: str) -> None:
    rule = a_taint_rule(taint=DeviceTaint(key="k", effect=effect), device="gpu-0")
    (capacity,) = capacity_of(two_nodes().with_taint_rule(rule), NODE, two_nodes().classes[CLASS])

    assert capacity.free == (2 if effect == "None" else 1)


def test_where_the_feature_is_off_rules_taint_nothing() -> None:
    snapshot = two_nodes().with_taint_rule(a_taint_rule())

    assert isinstance(place([a_claim(2)], snapshot, NODES, Features(device_taints=False)), Placement)


def test_a_refusal_names_the_rule_and_the_cheapest_change_is_to_tolerate_its_taint() -> None:
    taint = DeviceTaint(key="example.com/rack", value="r7", effect="NoSchedule")
    snapshot = a_snapshot(*a_pool(2))
    for name in ("rack-7", "rack-7-again"):
        snapshot = snapshot.with_taint_rule(a_taint_rule(name, taint))

    refusal = place([a_claim(2)], snapshot, [NODE])

    assert isinstance(refusal, Unsatisfiable)
    assert [each.message for each in refusal.refusals] == [
        "tainted by DeviceTaintRule rack-7: example.com/rack=r7:NoSchedule"
    ]
    change = cheapest_change([a_claim(2)], snapshot, [NODE], refusal)
    assert change is not None
    assert (change.kind, change.message) == (
        ChangeKind.TOLERATE,
        "tolerate the taint example.com/rack=r7:NoSchedule",
    )


class Step(NamedTuple):
    """What happens in a world: a rule comes or goes, a node is told anew, somebody takes a device, or an
    agent falls silent or speaks again."""

    rule: DeviceTaintRule | None = None
    untold: str = ""
    node: NodeName = NODE
    gpus: int = 0
    held: int | None = None
    silent: bool | None = None


some_rules = st.builds(
    a_taint_rule,
    st.sampled_from("abc"),
    st.builds(DeviceTaint, key=st.sampled_from("kl"), effect=st.sampled_from(EFFECTS)),
    driver=st.sampled_from([None, DRIVER, "other.example.com"]),
    pool=st.sampled_from([None, *NODES]),
    device=st.sampled_from([None, "gpu-0", "gpu-1"]),
)
some_nodes = st.sampled_from(NODES)
steps = st.one_of(
    some_rules.map(lambda rule: Step(rule=rule)),
    st.sampled_from("abc").map(lambda name: Step(untold=name)),
    st.tuples(some_nodes, st.integers(1, 4)).map(lambda told: Step(node=told[0], gpus=told[1])),
    st.tuples(some_nodes, st.integers(0, 3)).map(lambda held: Step(node=held[0], held=held[1])),
    st.tuples(some_nodes, st.booleans()).map(lambda heard: Step(node=heard[0], silent=heard[1])),
)


def after(snapshot: Snapshot, step: Step) -> Snapshot:
    if step.rule:
        return snapshot.with_taint_rule(step.rule)
    if step.untold:
        return snapshot.without_taint_rule(step.untold)
    if step.gpus:
        return snapshot.with_slices(step.node, DRIVER, a_pool(step.gpus, node=step.node))
    if step.silent is not None:
        return snapshot.with_node(NodeView(step.node, silent=frozenset([DRIVER] if step.silent else [])))
    (pool,) = a_pool(node=step.node)
    return snapshot.with_holdings(step.node, DRIVER, (a_holding("other", pool, f"gpu-{step.held}"),))


def carrying(snapshot: Snapshot) -> Snapshot:
    """The same world, begun anew without rules, where the slices carry the taints themselves."""
    plain = a_snapshot()
    for node in snapshot.nodes:
        last = [SILENT] if snapshot.node(node).silent else []
        slices = tuple(_carrying(each, snapshot, last) for each in snapshot.slices(node, DRIVER))
        plain = plain.with_slices(node, DRIVER, slices)
        plain = plain.with_holdings(node, DRIVER, snapshot.holdings(node, DRIVER))
    return plain


def _carrying(published: ResourceSlice, snapshot: Snapshot, last: list[DeviceTaint]) -> ResourceSlice:
    devices = []
    for device in published.spec.devices:
        taints = [
            rule.spec.taint
            for _, (rule, _) in sorted(snapshot.taint_rules.items())
            if rule.selector.driver in (None, published.spec.driver)
            and rule.selector.pool in (None, published.spec.pool.name)
            and rule.selector.device in (None, device.name)
        ]
        devices.append(msgspec.structs.replace(device, taints=(*device.taints, *taints, *last)))
    spec = msgspec.structs.replace(published.spec, devices=tuple(devices))
    return msgspec.structs.replace(published, spec=spec)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=8))
def test_rules_have_the_same_answers_as_slices_that_carry_the_taints(happened: list[Step]) -> None:
    """Asked after every step, so that whatever is remembered from before has its chance to be wrong."""
    snapshot = a_snapshot(*(each for node in NODES for each in a_pool(2, node=node)))
    for step in happened:
        snapshot = after(snapshot, step)
        plain = carrying(snapshot)
        for claim in CLAIMS:
            answer, wanted = (place([claim], each, NODES) for each in (snapshot, plain))
            assert isinstance(answer, Placement) == isinstance(wanted, Placement)
            assert answer == wanted or isinstance(answer, Unsatisfiable)
        for node in NODES:
            device_class = snapshot.classes[CLASS]
            assert capacity_of(snapshot, node, device_class) == capacity_of(plain, node, device_class)
