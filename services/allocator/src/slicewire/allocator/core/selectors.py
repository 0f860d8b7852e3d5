"""Whether a device is of a class and as a request wants it: all selectors of both must say yes.

An expression is compiled once, and evaluated once for each distinct set of what it reads: thousands
of equal devices cost one evaluation. Refuses to take a failed evaluation for a "no".
"""

from __future__ import annotations

from typing import cast

import msgspec

from slicewire.allocator.core.cel import (
    CompileFault,
    Environment,
    EvaluationFault,
    Program,
    compile_selector,
)
from slicewire.allocator.core.cel.remembered import Remembered
from slicewire.allocator.core.cel.selector import REMEMBERED_CHARACTERS
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.objections import NotSelected
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import (
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceClass,
    DeviceSelector,
    Quantity,
)

ENVIRONMENT = Environment(consumable_capacity=True, list_attributes=True, stored=True)
"""Claims and classes were checked when they were written: whatever they may use by then, works."""
_REMEMBERED_READINGS = 256
"""Of one judge. Devices look alike in some forty ways to most; more are as quickly judged anew."""
_REMEMBERED_VERDICTS_PER_DEVICE = 64


class Stumble(msgspec.Struct, frozen=True):
    """The selector with this index has no answer for the device."""

    index: int
    message: str


Verdict = int | None | Stumble
"""Nothing: all match. A number: the first that does not."""


class Selection(msgspec.Struct, frozen=True, eq=False):
    """The selectors of a class and of a request, each with the name that people know it by."""

    names: tuple[str, ...]
    from_class: int
    judge: Judge

    def objection(self, candidate: Candidate) -> NotSelected | Fault | None:
        match self.judge.verdict(candidate):
            case None:
                return None
            case Stumble(index, message):
                return Fault(f"{self.names[index]} on device {candidate.id}: CEL runtime error: {message}")
            case index:
                return NotSelected(self.names[index], index, index < self.from_class)

    def explained(self, candidate: Candidate, objection: NotSelected) -> NotSelected:
        """The same, with the part of the expression that is false for this device."""
        part = self.judge.false_part(objection.index, candidate)
        return msgspec.structs.replace(objection, false_part=part)


class Judge:
    """Several compiled selectors, all of which must match."""

    def __init__(self, programs: tuple[Program, ...]) -> None:
        self.programs = programs
        self._reads = _all_reads(programs)
        self._verdicts: dict[object, Verdict] = {}
        self._false_parts: dict[object, str] = {}

    def verdict(self, candidate: Candidate) -> Verdict:
        known = candidate.verdicts
        if self in known:
            return cast("Verdict", known[self])
        if len(known) >= _REMEMBERED_VERDICTS_PER_DEVICE:
            known.clear()
        verdict = self._read(candidate)
        known[self] = verdict
        return verdict

    def false_part(self, index: int, candidate: Candidate) -> str:
        reading = (index, self._reading(candidate) or candidate.id)
        if reading not in self._false_parts:
            if len(self._false_parts) >= _REMEMBERED_READINGS:
                self._false_parts.clear()
            part = self.programs[index].false_part(candidate.device, candidate.id.driver)
            self._false_parts[reading] = part
        return self._false_parts[reading]

    def _read(self, candidate: Candidate) -> Verdict:
        """Devices that look alike to these selectors are judged alike."""
        reading = self._reading(candidate)
        if reading is None:
            return self._evaluated(candidate)
        if reading not in self._verdicts:
            if len(self._verdicts) >= _REMEMBERED_READINGS:
                self._verdicts.clear()
            self._verdicts[reading] = self._evaluated(candidate)
        return self._verdicts[reading]

    def _evaluated(self, candidate: Candidate) -> Verdict:
        for index, program in enumerate(self.programs):
            match program.matches(candidate.device, candidate.id.driver):
                case EvaluationFault(message):
                    return Stumble(index, message)
                case False:
                    return index
                case True:
                    continue
        return None

    def _reading(self, candidate: Candidate) -> object:
        """All that the selectors look at in this device; None where that cannot be told apart."""
        if self._reads is None or any(_is_unsupported(a) for a in candidate.device.attributes.values()):
            return None
        device, driver = candidate.device, candidate.id.driver
        return (
            driver,
            device.allow_multiple_allocations,
            *(_published(device, driver, domain, bare) for _, domain, bare in self._reads if bare),
        )


Reads = tuple[tuple[str, str, str], ...]
_NO_ATTRIBUTE = DeviceAttribute()


def _all_reads(programs: tuple[Program, ...]) -> Reads | None:
    reads: set[tuple[str, str, str]] = set()
    for program in programs:
        if program.reads is None:
            return None
        reads |= program.reads
    return tuple(sorted(reads))


def _published(device: Device, driver: str, domain: str, bare: str) -> object:
    """What stands under a name, as attribute or capacity, with and without the driver's own domain."""
    full = f"{domain}/{bare}"
    found = (device.attributes.get(full), _value(device.capacity.get(full)))
    if domain != driver:
        return found
    return (*found, device.attributes.get(bare), _value(device.capacity.get(bare)))


def _value(capacity: DeviceCapacity | None) -> Quantity | None:
    return capacity.value if capacity else None


def _is_unsupported(attribute: DeviceAttribute) -> bool:
    """Of a type of the future: every evaluation on such a device fails, whatever it reads."""
    return attribute == _NO_ATTRIBUTE


class Uncompiled(msgspec.Struct, frozen=True):
    """The expression with this index does not compile."""

    index: int
    message: str


_JUDGES: Remembered[tuple[str, ...], Judge | Uncompiled] = Remembered(REMEMBERED_CHARACTERS)


def _judge_of(expressions: tuple[str, ...]) -> Judge | Uncompiled:
    known = _JUDGES.get(expressions)
    if known is None:
        known = _JUDGES.keep(expressions, _compiled(expressions), sum(map(len, expressions)))
    return known


def _compiled(expressions: tuple[str, ...]) -> Judge | Uncompiled:
    programs: list[Program] = []
    for index, expression in enumerate(expressions):
        match compile_selector(expression, ENVIRONMENT):
            case CompileFault(message):
                return Uncompiled(index, message)
            case program:
                programs.append(program)
    return Judge(tuple(programs))


def selection_of(
    device_class: DeviceClass, claim: str, selectors: tuple[DeviceSelector, ...]
) -> Selection | Fault:
    """The class's selectors come first. Every selector has an expression: requests.py saw to that."""
    of_class = device_class.spec.selectors
    names = (
        *(f"class {device_class.metadata.name}: selector #{index}" for index in range(len(of_class))),
        *(f"claim {claim}: selector #{index}" for index in range(len(selectors))),
    )
    match _judge_of(tuple(each.cel.expression for each in (*of_class, *selectors) if each.cel)):
        case Uncompiled(index, message):
            return Fault(f"{names[index]}: CEL compile error: {message}")
        case judge:
            return Selection(names, len(of_class), judge)
