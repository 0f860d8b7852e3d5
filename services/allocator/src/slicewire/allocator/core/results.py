"""From the devices picked to what is written down: AllocationResult, its configs and node selector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import NAMESPACE_OID, uuid5

from slicewire.allocator.core.attempt import Pick, Question
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.nodes import NAME_FIELD
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.solver import Solution
from slicewire.common.model import (
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceAllocationResult,
    DeviceRequestAllocationResult,
    NodeName,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Quantity,
    ResourceClaim,
)


def results_of(solution: Solution, question: Question) -> tuple[AllocationResult, ...]:
    """One for each claim, in the order of the claims."""
    made: list[AllocationResult] = []
    for index, claim in enumerate(question.demand.claims):
        picks = [pick for pick in solution.picks if pick.alternative.claim_index == index]
        chosen = [each for each in solution.chosen if each.claim_index == index]
        results = tuple(_result(claim, pick, question.features) for pick in picks)
        devices = DeviceAllocationResult(results=results, config=_configs(claim, chosen))
        selector = _node_selector(picks, question.stock.node.name)
        made.append(AllocationResult(devices=devices, node_selector=selector))
    return tuple(made)


def _result(claim: ResourceClaim, pick: Pick, features: Features) -> DeviceRequestAllocationResult:
    alternative, candidate = pick.alternative, pick.candidate
    binds, skips = features.device_binding_and_status, features.optional_node_operations
    return DeviceRequestAllocationResult(
        request=alternative.name,
        driver=candidate.id.driver,
        pool=candidate.id.pool,
        device=candidate.id.device,
        admin_access=True if alternative.admin_access else None,
        tolerations=alternative.tolerations,
        binding_conditions=candidate.device.binding_conditions if binds else (),
        binding_failure_conditions=candidate.device.binding_failure_conditions if binds else (),
        share_id=_share_id(claim, pick) if candidate.shareable else None,
        consumed_capacity={name: Quantity.of(amount) for name, amount in pick.consumed.items()},
        skip_node_operations=candidate.slice.skip_node_operations if skips else (),
    )


def _share_id(claim: ResourceClaim, pick: Pick) -> str:
    """A request never has two shares of one device, so these names tell all shares apart."""
    owner = claim.metadata.uid or claim.label
    return str(uuid5(NAMESPACE_OID, f"{owner} {pick.alternative.name} {pick.candidate.id}"))


def _configs(claim: ResourceClaim, chosen: list[Alternative]) -> tuple[DeviceAllocationConfiguration, ...]:
    """The classes' first, then the claim's: a driver lets the later one win."""
    configs = (*_class_configs(chosen), *_claim_configs(claim, chosen))
    return tuple(_shortened(config, chosen) for config in configs)


def _class_configs(chosen: list[Alternative]) -> Iterator[DeviceAllocationConfiguration]:
    """Each class once, for all the requests that use it."""
    for name in dict.fromkeys(each.device_class.metadata.name for each in chosen):
        using = [each for each in chosen if each.device_class.metadata.name == name]
        requests = tuple(each.name for each in using)
        for config in using[0].device_class.spec.config:
            yield DeviceAllocationConfiguration(source="FromClass", requests=requests, opaque=config.opaque)


def _claim_configs(
    claim: ResourceClaim, chosen: list[Alternative]
) -> Iterator[DeviceAllocationConfiguration]:
    for config in claim.spec.devices.config:
        if not config.requests or any(_covers(config.requests, each) for each in chosen):
            yield DeviceAllocationConfiguration(
                source="FromClaim", requests=config.requests, opaque=config.opaque
            )


def _shortened(
    config: DeviceAllocationConfiguration, chosen: list[Alternative]
) -> DeviceAllocationConfiguration:
    """No names at all stand for all requests; that is shorter, and drivers read it alike."""
    if not all(_covers(config.requests, each) for each in chosen):
        return config
    return DeviceAllocationConfiguration(source=config.source, opaque=config.opaque)


def _covers(requests: tuple[str, ...], alternative: Alternative) -> bool:
    return alternative.name in requests or alternative.name.partition("/")[0] in requests


def _node_selector(picks: list[Pick], node: NodeName) -> NodeSelector | None:
    """This node alone if any device is local to it or binds to it; none at all if any node will do."""
    if any(_is_local(pick) for pick in picks):
        field = NodeSelectorRequirement(key=NAME_FIELD, operator="In", values=(node,))
        return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(field,)),))
    terms = [term for pick in picks for term in _terms(pick)]
    merged = NodeSelectorTerm(
        match_expressions=_distinct(r for term in terms for r in term.match_expressions),
        match_fields=_distinct(r for term in terms for r in term.match_fields),
    )
    if not merged.match_expressions and not merged.match_fields:
        return None
    return NodeSelector(node_selector_terms=(merged,))


def _is_local(pick: Pick) -> bool:
    spec, device = pick.candidate.slice, pick.candidate.device
    name = device.node_name if spec.per_device_node_selection else spec.node_name
    return bool(name) or device.binds_to_node is True


def _terms(pick: Pick) -> tuple[NodeSelectorTerm, ...]:
    """At most one: a pool whose selectors have more is invalid."""
    spec, device = pick.candidate.slice, pick.candidate.device
    selector = device.node_selector if spec.per_device_node_selection else spec.node_selector
    return selector.node_selector_terms if selector else ()


def _distinct(requirements: Iterable[NodeSelectorRequirement]) -> tuple[NodeSelectorRequirement, ...]:
    """Alike when key, operator and the set of values are."""
    seen: dict[tuple[str, str, frozenset[str]], NodeSelectorRequirement] = {}
    for each in requirements:
        seen.setdefault((each.key, each.operator, frozenset(each.values)), each)
    return tuple(seen.values())
