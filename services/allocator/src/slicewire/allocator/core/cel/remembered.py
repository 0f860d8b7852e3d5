"""What was made from texts, for as long as there is room. Room is counted in characters of text.

A count of entries would bound nothing: what is compiled from a text grows with the text, some forty bytes
a character, and two hundred where the text is made to be hostile.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

_PER_ENTRY = 128
"""Characters that an entry counts for besides its text."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Entry(msgspec.Struct, Generic[Value], frozen=True):
    value: Value
    size: int


class Remembered(Generic[Key, Value]):
    """The entry that was not asked for longest goes first."""

    def __init__(self, characters: int) -> None:
        self._room = characters
        self._entries: dict[Key, _Entry[Value]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._entries[key] = entry
        return entry.value

    def keep(self, key: Key, value: Value, characters: int) -> Value:
        """Remember the value, unless it is larger than all the room; gives it back."""
        self._forget(key)
        size = characters + _PER_ENTRY
        self._entries[key] = _Entry(value, size)
        self._room -= size
        while self._room < 0:
            self._forget(next(iter(self._entries)))
        return value

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._room += entry.size
