"""The taints that are not of the driver, worked into what it told before anything is made of it.

Those of admins' rules come after the device's own, in order of the rules' names, and last that of a silent
agent. They are known to this memory only: what drivers have told is kept beside. Refuses to say whom a taint
keeps away; that is for taints.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from typing import NamedTuple

from msgspec.structs import asdict, replace

from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.records import PoolRecords, Slices, TellingKey
from slicewire.allocator.core.taints import SILENT, RuleTaint
from slicewire.common.model import Device, DeviceTaint, DeviceTaintRule, DriverName, ResourceSlice


class Tainting(NamedTuple):
    """A rule, and the one taint that all its devices get."""

    rule: DeviceTaintRule
    taint: RuleTaint


Taints = tuple[DeviceTaint, ...]
TaintRules = Mapping[str, Tainting]
"""By name, in order of the names."""


def with_rule(rules: TaintRules, name: str, rule: DeviceTaintRule | None) -> TaintRules:
    """None: there is no rule of that name any more."""
    rest = {each: rules[each] for each in rules if each != name}
    if rule is None:
        return rest
    taint = RuleTaint(**asdict(rule.spec.taint), rule=name)
    return dict(sorted({**rest, name: Tainting(rule, taint)}.items()))


def of_agent(driver: DriverName, node: NodeView) -> Taints:
    """What all devices get that this driver tells of on this node."""
    return (SILENT,) if driver in node.silent else ()


def tainted(slices: Slices, rules: TaintRules, everywhere: Taints = ()) -> Slices:
    """The same objects as far as no rule is about them, and nothing taints them everywhere."""
    return tuple(_tainted(each, rules, everywhere) for each in slices) if rules or everywhere else slices


def tellings_under(rule: DeviceTaintRule, pools: PoolRecords) -> Iterator[TellingKey]:
    """Where pools were told that the rule looks into."""
    for id_ in pools:
        record = pools.get(id_)
        if record is not None and rule.selector.looks_into(id_):
            yield from record.told


def _tainted(published: ResourceSlice, rules: TaintRules, everywhere: Taints) -> ResourceSlice:
    id_ = pool_id(published)
    here = tuple(each for each in rules.values() if each.rule.selector.looks_into(id_))
    before = published.spec.devices
    devices = tuple(_with_taints(device, here, everywhere) for device in before)
    if all(map(is_, devices, before)):
        return published
    return replace(published, spec=replace(published.spec, devices=devices))


def _with_taints(device: Device, rules: Sequence[Tainting], everywhere: Taints) -> Device:
    by_rules = tuple(each.taint for each in rules if each.rule.selector.picks(device.name))
    added = (*by_rules, *everywhere)
    return replace(device, taints=(*device.taints, *added)) if added else device
