"""Types of expressions, and when one may stand for another. Knows nothing of syntax or values."""

from __future__ import annotations

from functools import lru_cache

import msgspec

DEEPEST_TYPE = 24


class TooDeep(Exception):
    """A type nested beyond reason, as only a hostile expression builds it."""


class Type(msgspec.Struct, frozen=True, cache_hash=True):
    """A type by name with its parameters. A variable stands for a type still to be found.

    `is_open`: it is a variable, or holds one.
    """

    name: str
    parameters: tuple[Type, ...] = ()
    is_variable: bool = False
    depth: int = 0
    is_open: bool = False

    def __str__(self) -> str:
        if self.name == "type" and self.parameters:
            return f"type({self.parameters[0]})"
        inner = ", ".join(map(str, self.parameters))
        return f"{self.name}({inner})" if inner else self.name


BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL = Type("string"), Type("bytes"), Type("null")
DYN, ANY, ERROR = Type("dyn"), Type("any"), Type("error")
TIMESTAMP, DURATION = Type("timestamp"), Type("duration")
TYPE = Type("type")
QUANTITY, SEMVER = Type("kubernetes.Quantity"), Type("kubernetes.Semver")
URL, FORMAT = Type("kubernetes.URL"), Type("kubernetes.NamedFormat")
IP, CIDR = Type("net.IP"), Type("net.CIDR")
DEVICE = Type("kubernetes.DRADevice")

_NULLABLE = frozenset({QUANTITY, SEMVER, URL, FORMAT, IP, CIDR, DEVICE, TIMESTAMP, DURATION})


def variable(name: str) -> Type:
    return Type(name, is_variable=True, is_open=True)


@lru_cache(maxsize=1024)
def parametrised(name: str, *parameters: Type) -> Type:
    """The same type is the same object as long as it is remembered, so comparing is cheap."""
    depth = 1 + max(parameter.depth for parameter in parameters)
    if depth > DEEPEST_TYPE:
        raise TooDeep
    return Type(name, parameters, depth=depth, is_open=any(parameter.is_open for parameter in parameters))


def list_of(item: Type) -> Type:
    return parametrised("list", item)


def map_of(key: Type, value: Type) -> Type:
    return parametrised("map", key, value)


def optional_of(item: Type) -> Type:
    return parametrised("optional_type", item)


def is_dynamic(kind: Type) -> bool:
    return kind.name in {"dyn", "any", "error"}


def unwrapped(kind: Type) -> tuple[Type, bool]:
    """The type inside an optional, and whether it was one."""
    return (kind.parameters[0], True) if kind.name == "optional_type" else (kind, False)


class Unifier:
    """What the type variables of one expression have turned out to be."""

    def __init__(self) -> None:
        self._bound: dict[str, Type] = {}
        self._made = 0

    def fresh(self) -> Type:
        self._made += 1
        return variable(f"_{self._made}")

    def renamed(self, kinds: tuple[Type, ...]) -> tuple[Type, ...]:
        """A declaration's types with variables of their own for this one use."""
        fresh: dict[str, Type] = {}
        return tuple(self._rename(kind, fresh) for kind in kinds)

    def _rename(self, kind: Type, fresh: dict[str, Type]) -> Type:
        if kind.is_variable:
            if kind.name not in fresh:
                fresh[kind.name] = self.fresh()
            return fresh[kind.name]
        if not kind.is_open:
            return kind
        return parametrised(kind.name, *(self._rename(inner, fresh) for inner in kind.parameters))

    def resolved(self, kind: Type, final: bool = False) -> Type:
        """The type with its found variables filled in; finally, what stayed open is dyn."""
        if not kind.is_open:
            return kind
        if kind.is_variable:
            known = self._bound.get(kind.name)
            if known is not None:
                return self.resolved(known, final)
            return DYN if final else kind
        return parametrised(kind.name, *(self.resolved(inner, final) for inner in kind.parameters))

    def accepts(self, wanted: tuple[Type, ...], given: tuple[Type, ...]) -> bool:
        """Whether every given type can stand where one is wanted; what that binds is kept only if so."""
        before = dict(self._bound)
        if len(wanted) == len(given) and all(map(self._unify, given, wanted)):
            return True
        self._bound = before
        return False

    def joined(self, first: Type, second: Type) -> Type | None:
        """The more general of two types that go together in one list or map, or None."""
        if not self.accepts((second,), (first,)):
            return None
        return first if _is_no_more_specific(first, second) else second

    def _unify(self, one: Type, other: Type) -> bool:
        if one is other and not one.is_open:
            return True
        if other.is_variable:
            return self._bind(other, one)
        if one.is_variable:
            return self._bind(one, other)
        if is_dynamic(one) or is_dynamic(other) or (one.name == other.name == "type"):
            return True
        if NULL in {one, other}:
            return one == other or _is_nullable(one) or _is_nullable(other)
        same_shape = one.name == other.name and len(one.parameters) == len(other.parameters)
        return same_shape and all(map(self._unify, one.parameters, other.parameters))

    def _bind(self, variable: Type, kind: Type) -> bool:
        if kind == variable:
            return True
        known = self._bound.get(variable.name)
        if known is None:
            if self._occurs(variable, kind):
                return False
            self._bound[variable.name] = kind
            return True
        if not self._unify(kind, known):
            return False
        general = kind if _is_no_more_specific(kind, known) else known
        if general != variable and not self._occurs(variable, general):
            self._bound[variable.name] = general
        return True

    def _occurs(self, variable: Type, kind: Type) -> bool:
        if kind.is_variable:
            known = self._bound.get(kind.name)
            return kind == variable or (known is not None and self._occurs(variable, known))
        return any(self._occurs(variable, inner) for inner in kind.parameters)


def _is_nullable(kind: Type) -> bool:
    return kind in _NULLABLE or kind.name == "optional_type"


def _is_no_more_specific(one: Type, other: Type) -> bool:
    if is_dynamic(one) or one.is_variable:
        return True
    if is_dynamic(other) or other.is_variable:
        return False
    if one.name != other.name or len(one.parameters) != len(other.parameters):
        return False
    return one.name == "type" or all(map(_is_no_more_specific, one.parameters, other.parameters))
