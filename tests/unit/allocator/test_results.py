"""What is written down: results, configs and node selectors."""

from __future__ import annotations

from uuid import UUID

import msgspec

from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    AllocationResult,
    Device,
    DeviceClaimConfiguration,
    DeviceClassConfiguration,
    DeviceToleration,
    DriverName,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    OpaqueDeviceConfiguration,
    Quantity,
    ResourceClaim,
)
from tests.builders import (
    CLASS,
    NODE,
    a_claim,
    a_class,
    a_gpu,
    a_pool,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    exactly,
    first_of,
)


def allocated(snapshot: Snapshot, claim: ResourceClaim, features: Features = DEFAULT) -> AllocationResult:
    answer = allocate([claim], snapshot, NODE, features)
    assert isinstance(answer, tuple), answer
    return answer[0]


def opaque(mode: str) -> OpaqueDeviceConfiguration:
    return OpaqueDeviceConfiguration(driver=DriverName("gpu.nvidia.com"), parameters={"mode": mode})


def for_claim(mode: str, *requests: str) -> DeviceClaimConfiguration:
    return DeviceClaimConfiguration(requests=requests, opaque=opaque(mode))


def configs(result: AllocationResult) -> list[tuple[str, tuple[str, ...], str]]:
    return [
        (each.source, each.requests, each.opaque.parameters["mode"])
        for each in result.devices.config
        if each.opaque
    ]


def in_zone(*zones: str) -> NodeSelector:
    requirement = NodeSelectorRequirement(key="zone", operator="In", values=zones)
    return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(requirement,)),))


ONLY_HERE = NodeSelector(
    node_selector_terms=(
        NodeSelectorTerm(
            match_fields=(NodeSelectorRequirement(key="metadata.name", operator="In", values=(NODE,)),)
        ),
    )
)


def test_a_result_says_which_device_for_which_request_and_what_it_tolerates() -> None:
    toleration = DeviceToleration(key="x", operator="Exists")

    (result,) = allocated(
        a_snapshot(*a_pool(gpus=1)), a_claim(look=exactly(admin=True, tolerations=[toleration]))
    ).devices.results

    assert (result.request, str(result.device_id)) == ("look", "gpu.nvidia.com/node-a/gpu-0")
    assert (result.admin_access, result.tolerations) == (True, (toleration,))
    assert (result.share_id, result.consumed_capacity) == (None, {})


def test_binding_conditions_are_copied_where_the_device_has_them() -> None:
    bound = Device(name=a_gpu(0).name, binding_conditions=("ready",), binding_failure_conditions=("broken",))
    snapshot = a_snapshot(a_slice([bound, a_gpu(1)]))

    first, second = allocated(snapshot, a_claim(2)).devices.results
    (only,) = allocated(snapshot, a_claim(1), Features(device_binding_and_status=False)).devices.results

    assert (first.binding_conditions, first.binding_failure_conditions) == (("ready",), ("broken",))
    assert second.binding_conditions == ()
    assert only.device == "gpu-1"


def test_shares_have_ids_of_their_own_that_are_the_same_every_time() -> None:
    half = exactly(capacity={"memory": "40Gi"})
    snapshot = a_snapshot(a_slice([a_shared_gpu(0)]))
    claim = a_claim(a=half, b=half)

    first, second = allocated(snapshot, claim).devices.results

    assert first.device == second.device
    assert first.consumed_capacity == {"memory": Quantity("40Gi")}
    assert len({UUID(first.share_id or ""), UUID(second.share_id or "")}) == 2
    assert allocated(snapshot, claim).devices.results == (first, second)


def test_configs_of_classes_come_first_and_once_for_all_their_requests() -> None:
    other = a_class("other", config=[DeviceClassConfiguration(opaque=opaque("other"))])
    classes = [a_class(CLASS, config=[DeviceClassConfiguration(opaque=opaque("class"))]), other]
    snapshot = a_snapshot(*a_pool(gpus=3), classes=classes)
    claim = a_claim(a=exactly(), b=exactly(of="other"), c=exactly(), config=[for_claim("claim", "b")])

    assert configs(allocated(snapshot, claim)) == [
        ("FromClass", ("a", "c"), "class"),
        ("FromClass", ("b",), "other"),
        ("FromClaim", ("b",), "claim"),
    ]


def test_a_config_for_all_requests_names_none() -> None:
    claim = a_claim(a=exactly(), b=exactly(), config=[for_claim("listed", "a", "b"), for_claim("open")])

    assert configs(allocated(a_snapshot(*a_pool(gpus=2)), claim)) == [
        ("FromClaim", (), "listed"),
        ("FromClaim", (), "open"),
    ]


def test_a_config_for_an_alternative_that_was_not_chosen_is_left_out() -> None:
    claim = a_claim(
        a=first_of(many=exactly(9), few=exactly(1)),
        b=exactly(),
        config=[for_claim("many", "a/many"), for_claim("few", "a/few"), for_claim("either", "a")],
    )

    assert configs(allocated(a_snapshot(*a_pool(gpus=2)), claim)) == [
        ("FromClaim", ("a/few",), "few"),
        ("FromClaim", ("a",), "either"),
    ]


def test_one_local_device_pins_the_allocation_to_its_node() -> None:
    everywhere = a_slice([a_gpu(1)], node=None, pool="net", all_nodes=True)

    assert allocated(a_snapshot(*a_pool(gpus=1), everywhere), a_claim(2)).node_selector == ONLY_HERE


def test_a_device_that_binds_to_its_node_pins_it_too() -> None:
    binding = Device(name=a_gpu(0).name, binds_to_node=True)
    snapshot = a_snapshot(a_slice([binding], node=None, pool="net", all_nodes=True))

    assert allocated(snapshot, a_claim(1)).node_selector == ONLY_HERE


def test_a_device_for_all_nodes_can_be_used_everywhere() -> None:
    snapshot = a_snapshot(a_slice([a_gpu()], node=None, pool="net", all_nodes=True))

    assert allocated(snapshot, a_claim(1)).node_selector is None


def test_node_selectors_of_several_devices_are_joined_without_repetition() -> None:
    snapshot = a_snapshot(
        a_slice([a_gpu(0)], node=None, pool="a", node_selector=in_zone("east", "west")),
        a_slice([a_gpu(1)], node=None, pool="b", node_selector=in_zone("west", "east")),
        a_slice([a_gpu(2)], node=None, pool="c", node_selector=in_zone("east")),
    ).with_node(NodeView(NODE, {"zone": "east"}))

    selector = allocated(snapshot, a_claim(3)).node_selector

    assert selector is not None
    (term,) = selector.node_selector_terms
    assert [each.values for each in term.match_expressions] == [("east", "west"), ("east",)]


def test_a_selector_of_a_single_device_is_used_where_devices_select_nodes() -> None:
    device = Device(name=a_gpu(0).name, node_selector=in_zone("east"))
    snapshot = a_snapshot(a_slice([device], node=None, pool="rack", per_device_node_selection=True))

    result = allocated(snapshot.with_node(NodeView(NODE, {"zone": "east"})), a_claim(1))

    assert result.node_selector == in_zone("east")


def test_results_say_which_node_operations_the_driver_does_without_where_that_is_switched_on() -> None:
    (published,) = a_pool(1)
    spec = msgspec.structs.replace(published.spec, skip_node_operations=("*",))
    snapshot = a_snapshot(msgspec.structs.replace(published, spec=spec))
    for features, expected in (
        (DEFAULT, ()),
        (msgspec.structs.replace(DEFAULT, optional_node_operations=True), ("*",)),
    ):
        answer = allocate([a_claim()], snapshot, NODE, features)
        assert isinstance(answer, tuple)
        assert answer[0].devices.results[0].skip_node_operations == expected
