"""The pools one node can use: the newest generation of each, and what is wrong with it if anything.

A pool that is not whole, or that contradicts itself, is kept and says so: nothing is allocated from
it, and nobody can be promised all of its devices. Refuses to mend what a driver published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.nodes import NodeView, Unreadable, selects
from slicewire.allocator.core.stock import Candidate, CounterName, Counters, Pool, Trouble, drawn_by
from slicewire.common.model import (
    CounterSet,
    Device,
    DeviceID,
    NodeSelector,
    PoolID,
    ResourceSlice,
    ResourceSliceSpec,
)


class _Viewpoint(NamedTuple):
    """Who looks at the pools, and with which features."""

    node: NodeView
    features: Features


WholePool = Callable[[PoolID], Sequence[ResourceSlice]]
"""Every slice of a pool, wherever it is for and whatever its generation."""


def gather(
    slices: Iterable[ResourceSlice], node: NodeView, features: Features, whole: WholePool
) -> tuple[Pool, ...]:
    """Sorted by driver and pool, those with binding conditions last: first fit takes them last."""
    newest: dict[PoolID, list[ResourceSlice]] = {}
    for each in slices:
        if _is_understood(each.spec, features) and _targets(each.spec, node):
            _keep_newest(newest.setdefault(pool_id(each), []), each)
    viewpoint = _Viewpoint(node, features)
    pools = [pool for id_, here in newest.items() if (pool := _assembled(id_, here, whole, viewpoint))]
    return tuple(sorted(pools, key=lambda pool: (pool.has_binding_conditions, pool.id)))


def pool_id(published: ResourceSlice) -> PoolID:
    return PoolID(published.spec.driver, published.spec.pool.name)


def _is_understood(spec: ResourceSliceSpec, features: Features) -> bool:
    return features.partitionable_devices or not (spec.per_device_node_selection or spec.shared_counters)


def _targets(spec: ResourceSliceSpec, node: NodeView) -> bool:
    """A selector that cannot be read counts as a hit, so that the pool shows up as invalid."""
    if spec.per_device_node_selection:
        return any(
            _reaches(device.node_name, device.all_nodes, device.node_selector, node)
            for device in spec.devices
        )
    return bool(_reaches(spec.node_name, spec.all_nodes, spec.node_selector, node))


def _reaches(
    node_name: str | None, all_nodes: bool | None, selector: NodeSelector | None, node: NodeView
) -> bool | Unreadable:
    if node_name:
        return node_name == node.name
    if all_nodes:
        return True
    return selector is not None and selects(selector, node)


def _keep_newest(kept: list[ResourceSlice], offered: ResourceSlice) -> None:
    generation = offered.spec.pool.generation
    if kept and generation < kept[0].spec.pool.generation:
        return
    if kept and generation > kept[0].spec.pool.generation:
        kept.clear()
    kept.append(offered)


def _assembled(
    id_: PoolID, here: list[ResourceSlice], whole: WholePool, viewpoint: _Viewpoint
) -> Pool | None:
    """None when another node already shows a newer generation: the driver is replacing this one."""
    wanted, generation = here[0].spec.pool.resource_slice_count, here[0].spec.pool.generation
    if len(here) == wanted:
        return _built(id_, here, (), viewpoint)
    everywhere = whole(id_)
    if any(other.spec.pool.generation > generation for other in everywhere):
        return None
    same = [other for other in everywhere if other.spec.pool.generation == generation]
    if len(same) != wanted:
        reason = f"{len(same)} of {wanted} slices of generation {generation} are published"
        return Pool(id_, trouble=Trouble.INCOMPLETE, reason=reason)
    ours = {id(each) for each in here}
    return _built(id_, here, [other for other in same if id(other) not in ours], viewpoint)


def _built(
    id_: PoolID, here: list[ResourceSlice], others: Sequence[ResourceSlice], viewpoint: _Viewpoint
) -> Pool:
    here = sorted(here, key=lambda each: each.metadata.name)
    devices = tuple(
        _candidate(id_, each.spec, device, viewpoint) for each in here for device in each.spec.devices
    )
    elsewhere = tuple(device for each in others for device in each.spec.devices)
    problem = _unreadable_selector(here, viewpoint.node) or _duplicate_name(devices)
    counters: Counters = {}
    if viewpoint.features.partitionable_devices and not problem:
        sets = [counter_set for each in (*here, *others) for counter_set in each.spec.shared_counters]
        counters = _counters(sets)
        every_device = chain((candidate.device for candidate in devices), elsewhere)
        problem = _duplicate_set(sets) or _unknown_counter(sets, every_device)
    trouble = Trouble.INVALID if problem else None
    return Pool(id_, devices, elsewhere, counters, trouble, problem)


def _counters(sets: Iterable[CounterSet]) -> Counters:
    return {
        CounterName(counter_set.name, name): counter.value.value
        for counter_set in sets
        for name, counter in counter_set.counters.items()
    }


def _candidate(pool: PoolID, spec: ResourceSliceSpec, device: Device, viewpoint: _Viewpoint) -> Candidate:
    in_reach: bool | Unreadable = True
    if spec.per_device_node_selection:
        in_reach = _reaches(device.node_name, device.all_nodes, device.node_selector, viewpoint.node)
    return Candidate(
        DeviceID(pool.driver, pool.pool, device.name),
        pool,
        device,
        spec,
        viewpoint.features.consumable_capacity and device.allow_multiple_allocations is True,
        in_reach is True,
        drawn_by(device),
    )


def _unreadable_selector(here: Iterable[ResourceSlice], node: NodeView) -> str:
    for each in here:
        for owner, selector in _selectors(each):
            match selects(selector, node):
                case Unreadable(reason):
                    return f"the node selector of {owner} cannot be read: {reason}"
                case _:
                    if len(selector.node_selector_terms) > 1:
                        return f"the node selector of {owner} has more than one term"
    return ""


def _selectors(published: ResourceSlice) -> Iterable[tuple[str, NodeSelector]]:
    if published.spec.node_selector is not None:
        yield f"slice {published.metadata.name}", published.spec.node_selector
    if published.spec.per_device_node_selection:
        for device in published.spec.devices:
            if device.node_selector is not None:
                yield f"device {device.name}", device.node_selector


def _duplicate_name(devices: Iterable[Candidate]) -> str:
    seen: set[str] = set()
    for candidate in devices:
        if candidate.device.name in seen:
            return f"two devices are named {candidate.device.name}"
        seen.add(candidate.device.name)
    return ""


def _duplicate_set(sets: Iterable[CounterSet]) -> str:
    names = [counter_set.name for counter_set in sets]
    return next((f"two counter sets are named {name}" for name in names if names.count(name) > 1), "")


def _unknown_counter(sets: Iterable[CounterSet], devices: Iterable[Device]) -> str:
    published = {counter_set.name: counter_set for counter_set in sets}
    for device in devices:
        for drawn in device.consumes_counters:
            if drawn.counter_set not in published:
                return (
                    f"device {device.name} draws from counter set {drawn.counter_set}, which is not published"
                )
            unknown = drawn.counters.keys() - published[drawn.counter_set].counters.keys()
            if unknown:
                name = CounterName(drawn.counter_set, min(unknown))
                return f"device {device.name} draws from counter {name}, which is not published"
    return ""
