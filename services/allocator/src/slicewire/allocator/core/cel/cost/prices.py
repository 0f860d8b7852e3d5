"""The price list of functions: an estimate from the sizes of the operands, a charge from the values.

The prices are those of Kubernetes' estimator and tracker (k8s.io/apiserver/pkg/cel/library/cost.go, and
cel-go's checker and interpreter): their estimates decide what the API server admits. The receiver is the
first operand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from slicewire.allocator.core.cel.cost.ranges import (
    MOST,
    NEW_LIST,
    PER_CHARACTER,
    PER_PATTERN_CHARACTER,
    Size,
    exactly,
    saturated,
    scaled,
)
from slicewire.allocator.core.cel.values import size_of


class Operand(msgspec.Struct, frozen=True):
    """What the estimate knows of one operand. `literal` is the value if it is written out."""

    size: Size
    kind: str = "dyn"
    item: Size | None = None
    literal: Any = None


class Estimate(msgspec.Struct, frozen=True):
    cost: int
    size: Size | None = None


class Price(msgspec.Struct, frozen=True):
    """`by_result`: the charge goes by what came out; every other charge is made before the work.

    `always`: the estimate, where the operands do not matter.
    """

    estimate: Callable[[tuple[Operand, ...]], Estimate]
    charge: Callable[[tuple[Any, ...], Any], int]
    by_result: bool = False
    always: Estimate | None = None


def fixed(cost: int) -> Price:
    estimate = Estimate(cost)
    return Price(lambda _: estimate, lambda _values, _result: cost, always=estimate)


NOMINAL = fixed(1)


def traversal(position: int = 0, times: int = 1, *, keeps_size: bool = False, most: bool = False) -> Price:
    """Reading a text `times` over. `most`: the result has at most the size of the text."""

    def estimate(operands: tuple[Operand, ...]) -> Estimate:
        size = operands[position].size
        result = size if keeps_size else Size(0, size.most) if most else None
        return Estimate(scaled(size.most, times * PER_CHARACTER), result)

    return Price(estimate, lambda values, _: scaled(size_of(values[position]), times * PER_CHARACTER))


def _affix_charge(values: tuple[Any, ...], _: Any) -> int:
    return scaled(size_of(values[0]), PER_CHARACTER)


AFFIX = Price(lambda operands: Estimate(scaled(operands[1].size.most, PER_CHARACTER)), _affix_charge)
"""startsWith and endsWith: the estimate goes by the affix, the charge by the text."""


def _encoded(operands: tuple[Operand, ...]) -> Estimate:
    size = operands[0].size
    return Estimate(scaled(size.most, PER_CHARACTER), Size(size.least, saturated(size.most * 4)))


def _decoded(operands: tuple[Operand, ...]) -> Estimate:
    size = operands[0].size
    return Estimate(scaled(size.most, PER_CHARACTER), Size(size.least // 4, size.most))


def _quoted(operands: tuple[Operand, ...]) -> Estimate:
    size = operands[0].size
    return Estimate(scaled(size.most, PER_CHARACTER), Size(size.least + 2, saturated(size.most * 2 + 2)))


ENCODE, DECODE, QUOTE = (Price(rule, _affix_charge) for rule in (_encoded, _decoded, _quoted))


def _shorter(operands: tuple[Operand, ...]) -> Estimate:
    return Estimate(scaled(min(operands[0].size.most, operands[1].size.most), PER_CHARACTER))


COMPARISON = Price(
    _shorter, lambda values, _: scaled(min(size_of(values[0]), size_of(values[1])), PER_CHARACTER)
)

_COMPARED_AT_ONCE = frozenset({"kubernetes.Quantity", "kubernetes.Semver", "net.IP", "net.CIDR"})
_LONGEST_FORMAT = 64


def _equated(operands: tuple[Operand, ...]) -> Estimate:
    kinds = {operand.kind for operand in operands}
    if len(kinds) == 1 and kinds <= _COMPARED_AT_ONCE:
        return Estimate(1)
    if kinds == {"kubernetes.NamedFormat"}:
        return Estimate(scaled(_LONGEST_FORMAT, PER_CHARACTER))
    if kinds == {"kubernetes.URL"}:
        return Estimate(scaled(operands[1].size.most, PER_CHARACTER))
    return _shorter(operands)


EQUALITY = Price(_equated, COMPARISON.charge)


def _concatenated(operands: tuple[Operand, ...]) -> Estimate:
    size = operands[0].size.plus(operands[1].size)
    return Estimate(scaled(size.most, PER_CHARACTER), size)


CONCATENATION = Price(
    _concatenated, lambda values, _: scaled(size_of(values[0]) + size_of(values[1]), PER_CHARACTER)
)
LIST_CONCATENATION = Price(
    lambda operands: Estimate(1, operands[0].size.plus(operands[1].size)), lambda _values, _result: 1
)
MEMBERSHIP = Price(lambda operands: Estimate(operands[1].size.most), lambda values, _: size_of(values[1]))


def _pattern_cost(text: int, pattern: int) -> int:
    return saturated(scaled(saturated(text + 1), PER_CHARACTER) * scaled(pattern, PER_PATTERN_CHARACTER))


def _matched(values: tuple[Any, ...], _: Any) -> int:
    return _pattern_cost(size_of(values[0]), size_of(values[1]))


MATCHING = Price(lambda ops: Estimate(_pattern_cost(ops[0].size.most, ops[1].size.most)), _matched)
FINDING = Price(
    lambda ops: Estimate(_pattern_cost(ops[0].size.most, ops[1].size.most), Size(0, ops[0].size.most)),
    _matched,
)


def _both_scaled(text: int, part: int) -> int:
    return saturated(scaled(text, PER_CHARACTER) * scaled(part, PER_CHARACTER))


CONTAINING = Price(
    lambda operands: Estimate(_both_scaled(operands[0].size.most, operands[1].size.most)),
    lambda values, _: _both_scaled(size_of(values[0]), size_of(values[1])),
)


def _aggregated(operands: tuple[Operand, ...]) -> Estimate:
    each = 1 if operands[0].item is None else 1 + scaled(operands[0].item.most, PER_CHARACTER)
    return Estimate(saturated(operands[0].size.most * each))


_TRAVERSED_AT_MOST = 2**20


def _traversed(value: Any) -> int:
    """The elements of a value with all inside it; counting stops where no budget reaches."""
    cost, waiting = 0, [value]
    while waiting and cost < _TRAVERSED_AT_MOST:
        item = waiting.pop()
        if type(item) is tuple:
            waiting.extend(item)
            cost += 0 if item else 1
        elif isinstance(item, dict):
            waiting.extend((*item, *item.values()))
        else:
            cost += int(len(item) * PER_CHARACTER) if isinstance(item, str | bytes) else 1
    return cost


AGGREGATION = Price(_aggregated, lambda values, _: _traversed(values[0]))
"""One pass over a list that looks at each element."""

TEXT_SEARCH = Price(
    lambda operands: Estimate(scaled(operands[0].size.most, PER_CHARACTER)),
    lambda values, _: _traversed(values[0]),
)


def _allocating(factor: float, size: Size) -> Estimate:
    return Estimate(saturated(scaled(size.most, factor) + 1 + NEW_LIST), size)


def _allocated(factor: float, size: int) -> int:
    return int(size * factor) + 1 + NEW_LIST


def _new_list(_: tuple[Any, ...], result: Any) -> int:
    return _allocated(1, size_of(result))


NEW_LIST_LIKE_FIRST = Price(lambda operands: _allocating(1, operands[0].size), _new_list, by_result=True)


def _number(operand: Operand, otherwise: int) -> int:
    return max(operand.literal, 0) if type(operand.literal) is int else otherwise


def _sliced(operands: tuple[Operand, ...]) -> Estimate:
    start, end = _number(operands[1], 0), _number(operands[2], operands[0].size.most)
    return _allocating(1, exactly(max(end - start, 0)))


SLICE = Price(_sliced, _new_list, by_result=True)
RANGE = Price(lambda operands: _allocating(1, exactly(_number(operands[0], MOST))), _new_list, by_result=True)


def _flattened(operands: tuple[Operand, ...]) -> Estimate:
    return _allocating(1 if len(operands) == 1 else _number(operands[1], MOST), operands[0].size)


def _flatten_charge(values: tuple[Any, ...], _: Any) -> int:
    return _allocated(1 if len(values) == 1 else max(values[1], 0), size_of(values[0]))


FLATTEN = Price(_flattened, _flatten_charge)


def self_comparison(position: int, *, texts: bool | None = False) -> Price:
    """Comparing a list with itself, as sorting and distinct do; `texts` None: by what the list holds."""

    def estimate(operands: tuple[Operand, ...]) -> Estimate:
        size = operands[position].size
        return _allocating(2 + (PER_CHARACTER if texts else 0), size.times(size))

    def charge(values: tuple[Any, ...], _: Any) -> int:
        items = values[position]
        holds_texts = bool(items) and isinstance(items[0], str | bytes)
        return _allocated(2 + (PER_CHARACTER if holds_texts else 0), len(items) ** 2)

    return Price(estimate, charge)


def set_comparison(factor: int) -> Price:
    def estimate(operands: tuple[Operand, ...]) -> Estimate:
        return Estimate(saturated(operands[0].size.times(operands[1].size).most * factor + 1))

    return Price(estimate, lambda values, _: size_of(values[0]) * size_of(values[1]) * factor + 1)
