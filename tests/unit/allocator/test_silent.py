"""Devices whose agent is silent are given to those alone who tolerate that, until it speaks again."""

from __future__ import annotations

from slicewire.allocator.core.census import capacity_of
from slicewire.allocator.core.changes import cheapest_change
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import NodeView, Snapshot
from slicewire.allocator.view import View
from slicewire.common.bus.port import Heard
from slicewire.common.messages import CLASSES, INVENTORY, NODES, ClassObserved, NodeObserved, PoolObserved
from slicewire.common.model import (
    ChangeKind,
    DeviceToleration,
    DriverName,
    NodeName,
    PoolName,
    Unsatisfiable,
)
from tests.builders import (
    CLASS,
    DRIVER,
    NODE,
    a_claim,
    a_class,
    a_gpu,
    a_holding,
    a_pool,
    a_slice,
    a_snapshot,
    a_taint_rule,
    devices_of,
    exactly,
)

OTHER = NodeName("node-b")
NODES_ASKED = (NODE, OTHER)
SILENT = frozenset([DRIVER])
TOLERANT = a_claim(
    gpu=exactly(1, tolerations=[DeviceToleration(key="slicewire.dev/silent", operator="Exists")])
)


def two_nodes() -> Snapshot:
    """The agent of the first is silent."""
    return a_snapshot(*a_pool(2), *a_pool(2, node=OTHER)).with_node(NodeView(NODE, silent=SILENT))


def node_of(answer: Placement | Unsatisfiable) -> NodeName:
    assert isinstance(answer, Placement)
    return answer.node


def keys(snapshot: Snapshot, node: NodeName = NODE) -> list[list[str]]:
    """The taints of each device."""
    return [[taint.key for taint in each.device.taints] for each in snapshot.stock(node, DEFAULT).candidates]


def test_a_claim_gets_devices_of_an_agent_that_answers_and_one_that_tolerates_it_any() -> None:
    assert node_of(place([a_claim(2)], two_nodes(), NODES_ASKED)) == OTHER
    assert node_of(place([TOLERANT], two_nodes(), NODES_ASKED)) == NODE


def test_the_reason_says_where_to_look_and_what_would_help() -> None:
    refusal = place([a_claim(2)], two_nodes(), [NODE])
    assert isinstance(refusal, Unsatisfiable)
    assert [each.message for each in refusal.refusals] == [
        "its agent is silent, see that discovery runs there: taint slicewire.dev/silent:NoSchedule"
    ]
    change = cheapest_change([a_claim(2)], two_nodes(), [NODE], refusal)
    assert change is not None
    assert (change.kind, change.message) == (
        ChangeKind.TOLERATE,
        "tolerate the taint slicewire.dev/silent:NoSchedule",
    )


def test_its_devices_are_not_free_until_it_speaks_again() -> None:
    device_class = a_class()
    for silent, free in ((SILENT, 0), (frozenset[DriverName](), 2)):
        snapshot = two_nodes().with_node(NodeView(NODE, silent=silent))
        (capacity,) = capacity_of(snapshot, NODE, device_class)
        assert capacity.free == free


def test_another_driver_of_the_node_is_not_concerned() -> None:
    other = DriverName("other.example.com")
    snapshot = a_snapshot(*a_pool(1), a_slice([a_gpu()], driver=other, pool="other"))
    assert keys(snapshot.with_node(NodeView(NODE, silent=frozenset([other])))) == [
        [],
        ["slicewire.dev/silent"],
    ]


def test_it_comes_after_the_taints_of_rules_and_stays_when_they_go_or_the_pool_is_told_anew() -> None:
    snapshot = two_nodes().with_taint_rule(a_taint_rule(pool=NODE))
    assert keys(snapshot) == [["example.com/maintenance", "slicewire.dev/silent"]] * 2
    assert keys(snapshot.without_taint_rule("maintenance")) == [["slicewire.dev/silent"]] * 2
    assert keys(snapshot.with_slices(NODE, DRIVER, a_pool(1)))[0][1:] == ["slicewire.dev/silent"]


def test_nothing_is_worked_out_anew_where_nothing_has_changed() -> None:
    before = two_nodes()
    here, there = before.stock(NODE, DEFAULT), before.stock(OTHER, DEFAULT)
    assert before.with_node(NodeView(NODE, silent=SILENT)) is before
    after = before.with_node(NodeView(NODE))
    assert after.stock(NODE, DEFAULT) is not here
    assert after.stock(OTHER, DEFAULT) is there
    assert after.stock(NODE, DEFAULT).layout is there.layout, "they are alike again"


def test_a_node_that_is_gone_has_no_silent_agents() -> None:
    assert keys(two_nodes().without_node(NODE)) == [[], []]


def test_what_is_held_stays_held() -> None:
    (pool,) = a_pool(2)
    held = two_nodes().with_holdings(NODE, DRIVER, (a_holding("other", pool, "gpu-0"),))
    answer = place([TOLERANT], held, [NODE])
    assert isinstance(answer, Placement)
    assert devices_of(answer.results) == ["gpu-1"]


def test_the_fact_of_a_node_is_heeded_whether_it_comes_before_the_pool_or_after() -> None:
    pool = PoolObserved(node=NODE, driver=DRIVER, pool=PoolName(NODE), generation=1, devices=(a_gpu(),))
    facts = (
        Heard(INVENTORY, (NODE, DRIVER), pool, 2, {}),
        Heard(NODES, (NODE,), NodeObserved(name=NODE, uid="u", silent=(DRIVER,)), 3, {}),
    )
    for told in (facts, facts[::-1]):
        view = View()
        view.hear(Heard(CLASSES, (CLASS,), ClassObserved(device_class=a_class()), 1, {}))
        for heard in told:
            view.hear(heard)
        assert isinstance(place([a_claim(1)], view.snapshot, [NODE]), Unsatisfiable)
        before = view.capacity_changes
        view.hear(Heard(NODES, (NODE,), NodeObserved(name=NODE, uid="u"), 4, {}))
        assert view.capacity_changes > before, "those that wait are looked at again"
        assert node_of(place([a_claim(1)], view.snapshot, [NODE])) == NODE
