"""Derived attributes: what a request makes of each device, for its claim's constraints to look at.

Kubernetes 1.37, alpha. Computed after the selectors, invisible to them; a derived attribute shadows a
published one of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from slicewire.allocator.core.cel import (
    CompileFault,
    EvaluationFault,
    Program,
    compile_derivation,
)
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import DerivedAttribute, DeviceAttribute, Semver


class Derivation(msgspec.Struct, frozen=True, eq=False):
    """One derived attribute; `where` is how people find it."""

    name: str
    where: str
    program: Program

    def of(self, candidate: Candidate) -> DeviceAttribute | Fault:
        """The device's value, remembered with the device."""
        known = candidate.verdicts.get(self.program)
        if known is None:
            known = candidate.verdicts[self.program] = self._computed(candidate)
        assert isinstance(known, DeviceAttribute | Fault)
        return known

    def _computed(self, candidate: Candidate) -> DeviceAttribute | Fault:
        found = self.program.value(candidate.device, candidate.id.driver)
        if isinstance(found, EvaluationFault):
            return Fault(f"{self.where} on device {candidate.id}: CEL runtime error: {found.message}")
        attribute = _attribute(found)
        if attribute is None:
            return Fault(f"{self.where} on device {candidate.id}: the value is no attribute: {found!r}")
        return attribute


def derivations_of(written: Iterable[DerivedAttribute], where: str) -> tuple[Derivation, ...] | Fault:
    """All of a request's, compiled."""
    made = []
    for each in written:
        place = f"{where}: derived attribute {each.name}"
        program = compile_derivation(each.expression)
        if isinstance(program, CompileFault):
            return Fault(f"{place}: CEL compile error: {program.message}")
        made.append(Derivation(each.name, place, program))
    return tuple(made)


def _attribute(value: Any) -> DeviceAttribute | None:
    """None for a value that no published attribute could have."""
    if isinstance(value, tuple):
        return _list(value)
    if type(value) is bool:
        return DeviceAttribute(bool_value=value)
    if type(value) is int:
        return DeviceAttribute(int_value=value)
    if type(value) is str:
        return DeviceAttribute(string=value)
    return DeviceAttribute(version=value.text) if isinstance(value, Semver) else None


def _list(values: tuple[Any, ...]) -> DeviceAttribute | None:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return DeviceAttribute(bools=values)
    if kinds == {int}:
        return DeviceAttribute(ints=values)
    if kinds == {str}:
        return DeviceAttribute(strings=values)
    if kinds == {Semver}:
        return DeviceAttribute(versions=tuple(value.text for value in values))
    return None
