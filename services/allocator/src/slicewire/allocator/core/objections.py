"""Why one device cannot be picked: each reason a value that knows its rule and its words.

The reasons that carry amounts stand beside the arithmetic, in capacity.py and counters.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import msgspec

from slicewire.allocator.core.holdings import Amount
from slicewire.allocator.core.taints import SILENT, RuleTaint, written
from slicewire.common.model import DeviceTaint, Quantity, Rule


class Objection(msgspec.Struct, frozen=True):
    """Cheap to make, since the search makes many; the words are found only when somebody reads them."""

    RULE: ClassVar[Rule]

    @property
    def rule(self) -> Rule:
        return self.RULE

    def __str__(self) -> str:
        raise NotImplementedError


class InUse(Objection, frozen=True):
    """Another claim, or an earlier request, has the device."""

    RULE = Rule.IN_USE
    by: str

    def __str__(self) -> str:
        return f"in use by {self.by}"


class OutOfReach(Objection, frozen=True):
    """The device is for other nodes, though its slice is for this one too."""

    RULE = Rule.NODE

    def __str__(self) -> str:
        return "is for other nodes"


class FeatureOff(Objection, frozen=True):
    """The device needs a feature that the question does not use."""

    RULE = Rule.NODE
    what: str

    def __str__(self) -> str:
        return f"needs {self.what}, which are switched off"


class NotSelected(Objection, frozen=True):
    """A selector says no. `false_part` is the smallest part of it that decided so."""

    selector: str
    index: int
    of_class: bool
    false_part: str = ""

    @property
    def rule(self) -> Rule:
        return Rule.CLASS_SELECTOR if self.of_class else Rule.REQUEST_SELECTOR

    def __str__(self) -> str:
        return f"{self.selector}: {self.false_part or 'it'} is false"


class Tainted(Objection, frozen=True):
    """The device has a taint that the request does not tolerate."""

    RULE = Rule.TAINT
    taint: DeviceTaint

    def __str__(self) -> str:
        match self.taint:
            case RuleTaint(rule=rule):
                return f"tainted by DeviceTaintRule {rule}: {written(self.taint)}"
            case found if found == SILENT:
                return f"its agent is silent, see that discovery runs there: taint {written(found)}"
            case _:
                return f"taint {written(self.taint)} is not tolerated"


class Constrained(Objection, frozen=True):
    """The device does not go with those picked before it."""

    RULE = Rule.CONSTRAINT
    attribute: str
    must_match: bool
    is_published: bool

    def __str__(self) -> str:
        if not self.is_published:
            return f"has no attribute {self.attribute} to compare"
        if self.must_match:
            return f"{self.attribute} differs from that of the others"
        return f"{self.attribute} is the same as that of another"


def text(amount: Amount) -> str:
    return Quantity.of(Fraction(amount)).text
