"""A checked tree to one closure that takes a frame and gives a value.

Metered, every step charges the frame's budget as Kubernetes charges it. Unmetered, only functions whose work
their price does not bound do: that is for expressions whose worst case is known to be within the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel import access, calls, loops, run
from slicewire.allocator.core.cel.checked import Checked
from slicewire.allocator.core.cel.cost.ranges import NEW_LIST, NEW_MAP
from slicewire.allocator.core.cel.faults import no_such_overload
from slicewire.allocator.core.cel.functions.comparison import BY_MARK
from slicewire.allocator.core.cel.functions.containers import at, maybe_at
from slicewire.allocator.core.cel.run import Run
from slicewire.allocator.core.cel.syntax import (
    Bind,
    Call,
    Choice,
    Fold,
    Ident,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Node,
    OptionalMap,
    Published,
    Select,
)
from slicewire.allocator.core.cel.values import FIRST_VARIABLE, Frame, Optional, key_of, kind_of

_UNREAD = object()
"""In the slot of a bound variable until it is first read."""


class Compiler:
    """Builds closures for nodes. Each variable has a slot of its own: a bound value may be evaluated late,
    amid the variables of other loops."""

    def __init__(self, checked: Checked, *, metered: bool) -> None:
        self._checked = checked
        self._metered = metered
        self._scope: dict[str, Run] = {"device": access.device}
        self.slots = FIRST_VARIABLE

    def build(self, node: Node) -> Run:
        return _RULES[type(node)](self, node)

    def _all(self, nodes: tuple[Node, ...]) -> tuple[Run, ...]:
        return tuple(map(self.build, nodes))

    def _priced(self, step: Run, cost: int) -> Run:
        return run.charged(step, cost) if self._metered else step

    def _new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def _within(self, variables: dict[str, Run], node: Node) -> Run:
        before = self._scope
        self._scope = before | variables
        built = self.build(node)
        self._scope = before
        return built

    def literal(self, node: Literal) -> Run:
        return run.constant(node.value)

    def ident(self, node: Ident) -> Run:
        known = self._scope.get(node.name)
        return self._priced(known or run.constant(self._checked.names[node]), 1)

    def select(self, node: Select) -> Run:
        if node in self._checked.names:
            return self._priced(run.constant(self._checked.names[node]), 1)
        short = self._short_way(node)
        if short is not None:
            return short
        operand = self.build(node.operand)
        if node.test:
            return access.tested(operand, node.field)
        step = access.maybe_selected if node.optional else access.selected
        return self._priced(step(operand, node.field), 1)

    def _short_way(self, node: Select | Call) -> Run | None:
        """To what is named of the device itself; costs what the long way does."""
        if self._scope["device"] is not access.device:
            return None
        name = access.published_name(node)
        if name is not None:
            return self._priced(access.published(*name), access.PUBLISHED_STEPS)
        scalar = access.device_scalar(node)
        return None if scalar is None else self._priced(scalar, access.FIELD_STEPS)

    def published(self, node: Published) -> Run:
        return self._priced(access.domain(node), access.DOMAIN_STEPS)

    def call(self, node: Call) -> Run:
        special = _SPECIAL.get((node.function, node.target is not None))
        if special is not None:
            return special(self, node)
        overloads = self._checked.overloads[node]
        operands = node.arguments if node in self._checked.names else node.operands
        if len(overloads) == 1 and all(isinstance(operand, Literal) for operand in operands):
            values = tuple(operand.value for operand in operands if isinstance(operand, Literal))
            known = calls.folded(overloads[0], values, metering=self._metered)
            if known is not None:
                return known
        return self._general(node, operands)

    def _general(self, node: Call, operands: tuple[Node, ...]) -> Run:
        overloads = self._checked.overloads[node]
        arguments = self._all(operands)
        if self._metered:
            return calls.metered(overloads, arguments)
        kinds = tuple(self._checked.types[operand] for operand in operands)
        return calls.call(overloads, kinds, arguments)

    def index(self, node: Call) -> Run:
        short = self._short_way(node)
        if short is not None:
            return short
        container, index = self._all(node.arguments)
        find = maybe_at if node.function == "_[?_]" else at
        return self._priced(calls.lookup(container, index, find), 1)

    def equality(self, node: Call) -> Run:
        """Comparing with a text that is written out is the commonest selector of all."""
        left, right = node.arguments
        if self._metered:
            return self._general(node, node.arguments)
        if isinstance(right, Literal) and isinstance(right.value, str):
            return calls.equal_to_text(self.build(left), right.value, on_the_right=True)
        if isinstance(left, Literal) and isinstance(left.value, str):
            return calls.equal_to_text(self.build(right), left.value, on_the_right=False)
        return self._general(node, node.arguments)

    def ordering(self, node: Call) -> Run:
        left, right = node.arguments
        if self._metered or not isinstance(right, Literal) or type(right.value) is not int:
            return self._general(node, node.arguments)
        return calls.ordered_with_int(self.build(left), node.function.strip("_"), right.value)

    def pattern(self, node: Call) -> Run:
        text, pattern = node.operands
        if self._metered or not isinstance(pattern, Literal) or type(pattern.value) is not str:
            return self._general(node, node.operands)
        return calls.matches_pattern(self.build(text), pattern.value)

    def membership(self, node: Call) -> Run:
        wanted, items = node.arguments
        texts = _texts(items)
        if self._metered or texts is None:
            return self._general(node, node.arguments)
        return calls.among_texts(self.build(wanted), texts)

    def alternative(self, node: Call) -> Run:
        first, second = self._all(node.operands)
        return self._priced(calls.alternative(first, second, unwrap=node.function == "orValue"), 1)

    def logic(self, node: Logic) -> Run:
        return run.settled(self._all(node.operands), outcome=node.operator == "||")

    def choice(self, node: Choice) -> Run:
        return run.choice(*self._all((node.condition, node.then, node.otherwise)))

    def list(self, node: ListLiteral) -> Run:
        items = self._all(node.items)
        if _is_constant(node):
            return run.constant(tuple(item([]) for item in items))
        return self._priced(_listed(items, node.optional), NEW_LIST)

    def map(self, node: MapLiteral) -> Run:
        made = _mapped(self._all(node.keys), self._all(node.values), node.optional)
        return made if _is_constant(node) else self._priced(made, NEW_MAP)

    def fold(self, node: Fold) -> Run:
        source = self.build(node.source)
        slots = tuple(self._new_slot() for _ in node.variables)
        variables = {name: run.slot(slot) for name, slot in zip(node.variables, slots, strict=True)}
        keep = None if node.keep is None else self._within(variables, node.keep)
        body = self._within(variables, node.body)
        return loops.looped(node.kind, loops.Loop(source, slots, keep, body, self._metered))

    def bind(self, node: Bind) -> Run:
        value = self.build(node.value)
        slot = self._new_slot()

        def read(frame: Frame) -> Any:
            if frame[slot] is _UNREAD:
                frame[slot] = value(frame)
            return frame[slot]

        body = self._within({node.name: read}, node.body)

        def bound(frame: Frame) -> Any:
            frame[slot] = _UNREAD
            return body(frame)

        return bound

    def optional_map(self, node: OptionalMap) -> Run:
        target = self.build(node.target)
        slot = self._new_slot()
        body = self._within({node.name: run.slot(slot)}, node.body)

        def mapped(frame: Frame) -> Any:
            value = target(frame)
            if type(value) is not Optional:
                raise no_such_overload("optMap", kind_of(value))
            if not value.items:
                return value
            frame[slot] = value.items[0]
            return body(frame) if node.flat else Optional((body(frame),))

        return self._priced(mapped, 2 if node.flat else 3)


def _is_constant(node: Node) -> bool:
    """Made of literals only, however nested."""
    if isinstance(node, ListLiteral | MapLiteral):
        return not node.optional and all(map(_is_constant, node.parts))
    return isinstance(node, Literal)


def _texts(node: Node) -> frozenset[str] | None:
    if not isinstance(node, ListLiteral) or node.optional:
        return None
    values = [item.value for item in node.items if isinstance(item, Literal) and isinstance(item.value, str)]
    return frozenset(values) if len(values) == len(node.items) else None


def _listed(items: tuple[Run, ...], optional: frozenset[int]) -> Run:
    if not optional:
        return lambda frame: tuple([item(frame) for item in items])

    def made(frame: Frame) -> tuple[Any, ...]:
        found: list[Any] = []
        for index, item in enumerate(items):
            found.extend(_held(item(frame)) if index in optional else (item(frame),))
        return tuple(found)

    return made


def _mapped(keys: tuple[Run, ...], values: tuple[Run, ...], optional: frozenset[int]) -> Run:
    def made(frame: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for index, (key, value) in enumerate(zip(keys, values, strict=True)):
            held = _held(value(frame)) if index in optional else (value(frame),)
            found.update({key_of(key(frame)): item for item in held})
        return found

    return made


def _held(value: Any) -> tuple[Any, ...]:
    if type(value) is not Optional:
        raise no_such_overload("optional entry", kind_of(value))
    return value.items


_SPECIAL: dict[tuple[str, bool], Callable[[Compiler, Call], Run]] = {
    ("_[_]", False): Compiler.index,
    ("_[?_]", False): Compiler.index,
    ("_==_", False): Compiler.equality,
    **{(f"_{mark}_", False): Compiler.ordering for mark in BY_MARK},
    ("@in", False): Compiler.membership,
    ("matches", True): Compiler.pattern,
    ("or", True): Compiler.alternative,
    ("orValue", True): Compiler.alternative,
}
_RULES: dict[type[Node], Callable[[Compiler, Any], Run]] = {
    Literal: Compiler.literal,
    Ident: Compiler.ident,
    Select: Compiler.select,
    Published: Compiler.published,
    Call: Compiler.call,
    Logic: Compiler.logic,
    Choice: Compiler.choice,
    ListLiteral: Compiler.list,
    MapLiteral: Compiler.map,
    Fold: Compiler.fold,
    Bind: Compiler.bind,
    OptionalMap: Compiler.optional_map,
}
