"""The loops of the macros over lists and maps. `cost/estimate.py` knows their cost beyond the body too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from slicewire.allocator.core.cel.cost.ranges import NEW_LIST
from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.run import Run
from slicewire.allocator.core.cel.syntax import FoldKind
from slicewire.allocator.core.cel.values import Frame, charge, key_of, keys_of, kind_of, spelled, value_of_key

_GO_NAMES = {
    "bool": "types.Bool", "int": "types.Int", "uint": "types.Uint", "double": "types.Double",
    "string": "types.String", "bytes": "types.Bytes", "null_type": "types.Null",
    "optional_type": "*types.Optional",
    "google.protobuf.Timestamp": "types.Timestamp", "google.protobuf.Duration": "types.Duration",
    "kubernetes.Semver": "cel.Semver", "kubernetes.Quantity": "cel.Quantity",
}  # fmt: skip
"""How Kubernetes names the kinds in its message: users search for it word by word."""


class Loop(msgspec.Struct, frozen=True, eq=False):
    """A loop ready to run. `slots` are those of its one or two variables."""

    source: Run
    slots: tuple[int, ...]
    keep: Run | None
    body: Run
    metered: bool

    def items(self, frame: Frame) -> tuple[Any, ...]:
        """What the loop goes over: elements or keys; with two variables, pairs."""
        value = self.source(frame)
        pairs = len(self.slots) == 2
        if type(value) is tuple:
            return tuple(enumerate(value)) if pairs else value
        if isinstance(value, dict):
            return (
                tuple((value_of_key(key), item) for key, item in value.items())
                if pairs
                else tuple(keys_of(value))
            )
        raise Failed(f"got '{_GO_NAMES.get(kind_of(value), kind_of(value))}', expected iterable type")

    def enter(self, frame: Frame, item: Any, cost: int) -> None:
        """Begin one round."""
        if self.metered:
            charge(frame, cost)
        if len(self.slots) == 2:
            frame[self.slots[0]], frame[self.slots[1]] = item
        else:
            frame[self.slots[0]] = item

    def spend(self, frame: Frame, cost: int) -> None:
        if self.metered:
            charge(frame, cost)

    def keeps(self, frame: Frame) -> bool:
        return self.keep is None or _decided(self.keep(frame))


def _decided(value: Any) -> bool:
    if type(value) is not bool:
        raise no_such_overload("_?_:_", kind_of(value))
    return value


def _quantified(loop: Loop, frame: Frame, *, outcome: bool) -> bool:
    """`exists` when the outcome is true, `all` when false. One element settles it, whatever the rest do."""
    step, condition = (4, 3) if outcome else (3, 2)
    fault: Failed | None = None
    items = loop.items(frame)
    for position, item in enumerate(items, 1):
        loop.enter(frame, item, step)
        try:
            verdict: object = loop.body(frame)
        except Failed as failed:
            fault = fault or failed
            continue
        if verdict is outcome:
            loop.spend(frame, 1 + (condition if position < len(items) else 0))
            return outcome
        if type(verdict) is not bool:
            fault = fault or no_such_overload("_||_" if outcome else "_&&_", kind_of(verdict))
    loop.spend(frame, 1)
    if fault is not None:
        raise fault
    return not outcome


def _all(loop: Loop, frame: Frame) -> bool:
    return _quantified(loop, frame, outcome=False)


def _exists(loop: Loop, frame: Frame) -> bool:
    return _quantified(loop, frame, outcome=True)


def _exists_one(loop: Loop, frame: Frame) -> bool:
    count = 0
    for item in loop.items(frame):
        loop.enter(frame, item, 0)
        found = _decided(loop.body(frame))
        loop.spend(frame, 2 if found else 1)
        count += found
    loop.spend(frame, 2)
    return count == 1


def _kept(loop: Loop, frame: Frame, cost: int) -> Iterable[Any]:
    """The body's value for each item that is kept, at this cost beyond the body's own."""
    for item in loop.items(frame):
        loop.enter(frame, item, 0)
        if loop.keeps(frame):
            loop.spend(frame, cost)
            yield loop.body(frame)
        else:
            loop.spend(frame, 1)
    loop.spend(frame, 1)


def _list(loop: Loop, frame: Frame) -> tuple[Any, ...]:
    return tuple(_kept(loop, frame, NEW_LIST + 2))


def _filter(loop: Loop, frame: Frame) -> tuple[Any, ...]:
    found = []
    for item in loop.items(frame):
        loop.enter(frame, item, 0)
        if _decided(loop.body(frame)):
            loop.spend(frame, NEW_LIST + 3)
            found.append(item)
        else:
            loop.spend(frame, 1)
    loop.spend(frame, 1)
    return tuple(found)


def _map(loop: Loop, frame: Frame) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for value in _kept(loop, frame, 3):
        made[key_of(frame[loop.slots[0]])] = value
    return made


def _map_entries(loop: Loop, frame: Frame) -> dict[Any, Any]:
    """Each body is a map; no key may come twice."""
    made: dict[Any, Any] = {}
    for entries in _kept(loop, frame, 2):
        if not isinstance(entries, dict):
            raise no_such_overload("transformMapEntry", kind_of(entries))
        grow(frame, len(made) + len(entries))
        for key, value in entries.items():
            if key in made:
                raise Failed(f"insert failed: key {spelled(key)} already exists")
            made[key] = value
    return made


_RUNS: dict[FoldKind, Callable[[Loop, Frame], Any]] = {
    FoldKind.ALL: _all,
    FoldKind.EXISTS: _exists,
    FoldKind.EXISTS_ONE: _exists_one,
    FoldKind.LIST: _list,
    FoldKind.FILTER: _filter,
    FoldKind.MAP: _map,
    FoldKind.MAP_ENTRY: _map_entries,
}


def looped(kind: FoldKind, loop: Loop) -> Run:
    run = _RUNS[kind]
    return lambda frame: run(loop, frame)
