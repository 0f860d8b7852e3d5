"""A mapping that is never changed: its successors share all but one small part with it.

Refuses to be ordered; whoever needs an order sorts the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from operator import is_
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")

_PARTS = 256
"""A successor copies one part and this many references: cheap from one key to a few hundred thousand."""


class PersistentMap(Generic[K, V]):
    """Look up as in a dict; `with_value` and `without` return successors."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[dict[K, V], ...] = ({},) * _PARTS) -> None:
        self._parts = parts

    def get(self, key: K) -> V | None:
        return self._parts[hash(key) % _PARTS].get(key)

    def __iter__(self) -> Iterator[K]:
        for part in self._parts:
            yield from part

    def with_value(self, key: K, value: V) -> PersistentMap[K, V]:
        return self._with_part(key, {**self._parts[hash(key) % _PARTS], key: value})

    def without(self, key: K) -> PersistentMap[K, V]:
        part = self._parts[hash(key) % _PARTS]
        if key not in part:
            return self
        return self._with_part(key, {k: v for k, v in part.items() if k != key})

    def _with_part(self, key: K, part: dict[K, V]) -> PersistentMap[K, V]:
        at = hash(key) % _PARTS
        return PersistentMap((*self._parts[:at], part, *self._parts[at + 1 :]))


class Memo(Generic[T]):
    """The last answer, good for as long as it is asked of the very same objects."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[tuple[object, ...], T] | None = None

    def recall(self, source: object, compute: Callable[[], T]) -> T:
        return self.recall_all((source,), compute)

    def recall_all(self, sources: tuple[object, ...], compute: Callable[[], T]) -> T:
        last = self._last
        if last is not None and len(last[0]) == len(sources) and all(map(is_, last[0], sources)):
            return last[1]
        answer = compute()
        self._last = (sources, answer)
        return answer
