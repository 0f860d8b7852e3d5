"""Constraints between the devices of one claim: the same value for all, or a different one for each.

A constraint is told of every device that is picked (`add`) and of every pick that is taken back
(`undo`), last in first out; after an `undo` it is exactly as it was before the `add`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache

from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import DeviceAttribute, DeviceConstraint, RequestName

Values = frozenset[tuple[str, int | bool | str]]
"""An attribute as a set of values, each with its type: values of different types are never equal."""


class Constraint(ABC):
    """What `matchAttribute` and `distinctAttribute` have in common."""

    def __init__(self, requests: Sequence[str], attribute: str, lists: bool) -> None:
        self.attribute = attribute
        self._requests = frozenset(requests)
        self._lists = lists
        self._picked: list[Values] = []

    def add(self, request: RequestName, candidate: Candidate, derived: DeviceAttribute | None = None) -> bool:
        """Whether the device may join those picked so far; if so it has joined."""
        if not self.covers(request):
            return True
        values = self.values(candidate, derived)
        if values is None or (self._picked and not self._admits(values)):
            return False
        self._picked.append(self._joined(values))
        return True

    def undo(self, request: RequestName) -> None:
        """Take the last pick back."""
        if self.covers(request):
            self._picked.pop()

    def covers(self, request: RequestName) -> bool:
        """A request's name covers its alternatives; an alternative's covers only that one."""
        return not self._requests or request in self._requests or request.partition("/")[0] in self._requests

    def values(self, candidate: Candidate, derived: DeviceAttribute | None = None) -> Values | None:
        """None where the device lacks the attribute: then it cannot satisfy the constraint.

        `derived` is what the request made of the device, in place of what was published.
        """
        attribute = lookup(candidate, self.attribute) if derived is None else derived
        return None if attribute is None else _values(attribute, self._lists)

    @property
    def looks_at(self) -> tuple[str, bool]:
        """Constraints that look at the same see the same values."""
        return self.attribute, self._lists

    @property
    def picked(self) -> tuple[Values, ...]:
        return tuple(self._picked)

    @abstractmethod
    def _admits(self, values: Values) -> bool: ...

    @abstractmethod
    def _joined(self, values: Values) -> Values: ...


class MatchAttribute(Constraint):
    """All devices share a value; what is kept is the values that all so far have in common."""

    def _admits(self, values: Values) -> bool:
        return bool(values & self._picked[-1])

    def _joined(self, values: Values) -> Values:
        return values & self._picked[-1] if self._picked else values


class DistinctAttribute(Constraint):
    """No two devices share a value, whichever requests they are for."""

    def _admits(self, values: Values) -> bool:
        return bool(values) and all(values.isdisjoint(earlier) for earlier in self._picked)

    def _joined(self, values: Values) -> Values:
        return values


def constraint_of(written: DeviceConstraint, lists: bool) -> Constraint | None:
    """None for a kind of constraint that is not known. `lists`: attributes may have several values."""
    if written.match_attribute is not None:
        return MatchAttribute(written.requests, written.match_attribute, lists)
    if written.distinct_attribute is not None:
        return DistinctAttribute(written.requests, written.distinct_attribute, lists)
    return None


def lookup(candidate: Candidate, name: str) -> DeviceAttribute | None:
    """By its full name, else, in the driver's own domain, by its bare id."""
    attributes = candidate.device.attributes
    if name in attributes:
        return attributes[name]
    domain, _, bare = name.partition("/")
    return attributes.get(bare) if bare and domain == candidate.id.driver else None


@lru_cache(maxsize=4096)
def _values(attribute: DeviceAttribute, lists: bool) -> Values | None:
    """Versions compare as text: semantic versions have one spelling.

    Without `lists` a list is like a type of the future: it equals nothing, not even itself.
    """
    if lists and (several := _list(attribute)):
        return several
    single = _scalar(attribute)
    if single is None:
        return None if lists else frozenset()
    return frozenset((single,))


def _list(attribute: DeviceAttribute) -> Values:
    for kind, values in (
        ("int", attribute.ints),
        ("bool", attribute.bools),
        ("string", attribute.strings),
        ("version", attribute.versions),
    ):
        if values:
            return frozenset((kind, value) for value in values)
    return frozenset()


def _scalar(attribute: DeviceAttribute) -> tuple[str, int | bool | str] | None:
    if attribute.string is not None:
        return "string", attribute.string
    if attribute.int_value is not None:
        return "int", attribute.int_value
    if attribute.bool_value is not None:
        return "bool", attribute.bool_value
    if attribute.version is not None:
        return "version", attribute.version
    return None
