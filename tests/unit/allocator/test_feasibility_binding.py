"""Devices that need conditions before a pod may start, and devices that bind the claim to its node."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.search import allocate
from slicewire.common.model import (
    Device,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Unsatisfiable,
)
from tests.builders import NODE, a_claim, a_gpu, a_slice, a_snapshot

WITHOUT = msgspec.structs.replace(DEFAULT, device_binding_and_status=False)
HERE = NodeSelectorRequirement(key="metadata.name", operator="In", values=(NODE,))
PINNED = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(HERE,)),))
ANYWHERE = NodeSelector(
    node_selector_terms=(
        NodeSelectorTerm(
            match_expressions=(NodeSelectorRequirement(key="absent", operator="DoesNotExist"),),
        ),
    )
)


class Attached(NamedTuple):
    """A device: does it need conditions, does it bind to the node, is somebody holding it?"""

    conditional: bool
    binds: bool
    held: bool


DEVICES = st.lists(st.builds(Attached, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=3)
POOLS = st.lists(st.tuples(st.sampled_from(["local", "all", "selected"]), DEVICES), min_size=1, max_size=3)


def device_of(at: int, attached: Attached) -> Device:
    return msgspec.structs.replace(
        a_gpu(at),
        binding_conditions=("example.com/attached",) if attached.conditional else (),
        binding_failure_conditions=("example.com/broken",) if attached.conditional else (),
        binds_to_node=attached.binds or None,
    )


def expected(pools: list[tuple[str, list[Attached]]], *, feature: bool) -> list[tuple[int, int]]:
    """Those that may be had, in their order: pools with a conditional device come last."""
    last = [any(each.conditional for each in devices) for _, devices in pools]
    return [
        (number, at)
        for number in sorted(range(len(pools)), key=lambda number: (last[number], number))
        for at, each in enumerate(pools[number][1])
        if not each.held and (feature or not each.conditional)
    ]


@settings(max_examples=120)
@given(POOLS, st.integers(1, 4), st.booleans())
def test_conditional_devices_are_given_last_and_only_with_the_feature(
    pools: list[tuple[str, list[Attached]]], count: int, feature: bool
) -> None:
    where = {"local": {}, "all": {"all_nodes": True}, "selected": {"node_selector": ANYWHERE}}
    slices = [
        a_slice(
            (device_of(at, each) for at, each in enumerate(devices)),
            pool=f"pool-{number}",
            **where[kind],  # type: ignore[arg-type]  # fields of the slice
        )
        for number, (kind, devices) in enumerate(pools)
    ]
    snapshot = a_snapshot(*slices)
    for number, (_, devices) in enumerate(pools):
        names = [f"gpu-{at}" for at, each in enumerate(devices) if each.held]
        if names:
            from_pool = a_snapshot(slices[number], used={f"earlier-{number}": names})
            held = from_pool.holdings(NODE, slices[number].spec.driver)
            earlier = snapshot.holdings(NODE, slices[number].spec.driver)
            snapshot = snapshot.with_holdings(NODE, slices[number].spec.driver, (*earlier, *held))

    answer = allocate([a_claim(count)], snapshot, NODE, DEFAULT if feature else WITHOUT)

    usable = expected(pools, feature=feature)
    assert isinstance(answer, tuple | Unsatisfiable), answer
    assert isinstance(answer, tuple) is (len(usable) >= count)
    if not isinstance(answer, tuple):
        return
    (result,) = answer
    chosen = [(int(each.pool[-1]), int(each.device[-1])) for each in result.devices.results]
    assert chosen == usable[:count]
    for (number, at), each in zip(chosen, result.devices.results, strict=True):
        conditional = pools[number][1][at].conditional
        assert each.binding_conditions == (("example.com/attached",) if conditional else ())
        assert each.binding_failure_conditions == (("example.com/broken",) if conditional else ())
    kinds = [("local" if pools[number][1][at].binds else pools[number][0]) for number, at in chosen]
    selector = PINNED if "local" in kinds else ANYWHERE if "selected" in kinds else None
    assert result.node_selector == selector
