"""Subjects: where facts of one kind are told, and where questions of one kind are asked.

The only place where a subject is spelled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from slicewire.common.messages.facts import Fact
from slicewire.common.model.struct import Object

VERSION = "slicewire.v1"
SCHEMA_VERSION = "1.1"
"""Of what facts say: the minor rises with every field that is added, the major with `VERSION` alone."""
STATE_STREAM = "SLICEWIRE_STATE"
HISTORY_STREAM = "SLICEWIRE_HISTORY"
STATE_SUBJECTS = f"{VERSION}.state.>"
F = TypeVar("F", bound=Fact)
Q = TypeVar("Q", bound=Object)
A = TypeVar("A", bound=Object)
_TOKEN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
LONGEST_NAME = 253
"""As in Kubernetes. A server closes the connection of whoever sends a subject of 4,000 characters."""
_SHOWN = 60


class BadKey(ValueError):
    """A name that cannot stand in a subject."""


def token(name: str) -> str:
    """A name as one subject token: `.` becomes `_`, which no Kubernetes name holds. Raises `BadKey`."""
    if len(name) > LONGEST_NAME:
        raise BadKey(
            f"{name[:_SHOWN]!r}… cannot stand in a subject: it has {len(name)} characters,"
            f" more than {LONGEST_NAME}"
        )
    if not _TOKEN.fullmatch(name):
        raise BadKey(f"{name!r} cannot stand in a subject: letters, digits, '-' and single inner '.' only")
    return name.replace(".", "_")


def _names_in(subject: str) -> tuple[str, ...]:
    """The key of a subject: what `token` made of names, undone."""
    return tuple(part.replace("_", ".") for part in subject.split(".")[4:])


class Channel(msgspec.Struct, Generic[F], frozen=True):
    """Where the facts of one kind are told: `slicewire.v1.state.<kind>.<key…>`."""

    kind: str
    fact: type[F]
    key: Callable[[F], tuple[str, ...]]
    author: str
    key_names: tuple[str, ...]
    prefix: tuple[str, ...] = ()

    def under(self, *prefix: str) -> Channel[F]:
        """The same channel, only the keys that begin so: `LEDGERS.under("node-a")`."""
        return msgspec.structs.replace(self, prefix=prefix)

    def subject(self, *key: str) -> str:
        """The subject of one key. Raises `BadKey`."""
        return ".".join((VERSION, "state", self.kind, *map(token, key)))

    @property
    def schema(self) -> str:
        """Which version of which fact: `ce-dataschema` of the envelope."""
        return f"urn:slicewire:schema:{SCHEMA_VERSION}:{self.kind}"

    @property
    def pattern(self) -> str:
        """All keys of this channel, as a subscription subject."""
        wild = () if len(self.prefix) == len(self.key_names) else (">",)
        return ".".join((VERSION, "state", self.kind, *map(token, self.prefix), *wild))

    def key_of(self, subject: str) -> tuple[str, ...]:
        """The names in a subject of this channel."""
        return _names_in(subject)


class Endpoint(msgspec.Struct, Generic[Q, A], frozen=True):
    """A question and its answer: `slicewire.v1.request.<name>[.<key>]`, served by one of `server`."""

    name: str
    request: type[Q]
    reply: type[A]
    server: str
    key_names: tuple[str, ...] = ()
    is_traced: bool = True
    """False for one that is asked all the time and changes nothing: it would bury what is worth a look."""

    def subject(self, *key: str) -> str:
        return ".".join((VERSION, "request", self.name, *map(token, key)))

    @property
    def pattern(self) -> str:
        """Of every key, as a subscription subject."""
        return ".".join((VERSION, "request", self.name, *("*" for _ in self.key_names)))

    def key_of(self, subject: str) -> tuple[str, ...]:
        """The names in a subject of this endpoint."""
        return _names_in(subject)
