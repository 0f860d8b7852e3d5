"""The taints that admins' rules put on devices, worked into what is told before anything is made of it.

They come after the device's own, in order of the rules' names, and are known to this memory only: what
drivers have told is kept beside. Refuses to say whom a taint keeps away; that is for taints.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from typing import NamedTuple

from msgspec.structs import asdict, replace

from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.records import PoolRecords, Slices, TellingKey
from slicewire.allocator.core.taints import RuleTaint
from slicewire.common.model import Device, DeviceTaintRule, ResourceSlice


class Tainting(NamedTuple):
    """A rule, and the one taint that all its devices get."""

    rule: DeviceTaintRule
    taint: RuleTaint


TaintRules = Mapping[str, Tainting]
"""By name, in order of the names."""


def with_rule(rules: TaintRules, name: str, rule: DeviceTaintRule | None) -> TaintRules:
    """None: there is no rule of that name any more."""
    rest = {each: rules[each] for each in rules if each != name}
    if rule is None:
        return rest
    taint = RuleTaint(**asdict(rule.spec.taint), rule=name)
    return dict(sorted({**rest, name: Tainting(rule, taint)}.items()))


def tainted(slices: Slices, rules: TaintRules) -> Slices:
    """The same objects as far as no rule is about them."""
    return tuple(_tainted(each, rules) for each in slices) if rules else slices


def tellings_under(rule: DeviceTaintRule, pools: PoolRecords) -> Iterator[TellingKey]:
    """Where pools were told that the rule looks into."""
    for id_ in pools:
        record = pools.get(id_)
        if record is not None and rule.selector.looks_into(id_):
            yield from record.told


def _tainted(published: ResourceSlice, rules: TaintRules) -> ResourceSlice:
    id_ = pool_id(published)
    here = tuple(each for each in rules.values() if each.rule.selector.looks_into(id_))
    before = published.spec.devices
    devices = tuple(_with_taints(device, here) for device in before) if here else before
    if all(map(is_, devices, before)):
        return published
    return replace(published, spec=replace(published.spec, devices=devices))


def _with_taints(device: Device, rules: Sequence[Tainting]) -> Device:
    added = tuple(each.taint for each in rules if each.rule.selector.picks(device.name))
    return replace(device, taints=(*device.taints, *added)) if added else device
