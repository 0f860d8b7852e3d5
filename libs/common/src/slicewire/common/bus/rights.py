"""Who may say and hear what on the bus, by subject: one table, of the catalogue and of what the bus needs.

A node's agents are one role: `MINE` stands for the name of the node, and the server puts it in. Refuses to
know keys, files and servers: whoever makes credentials does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from slicewire.common.messages import (
    ALIVE,
    ALLOCATE,
    CAPACITY,
    CATALOGUE,
    CLAIMS,
    CLASSES,
    ENDPOINTS,
    EXPLAIN,
    HISTORY_STREAM,
    PREPARE,
    RELEASE,
    STATE_STREAM,
    TAINT_RULES,
    UNPREPARE,
    VERSION,
    WHATIF,
    Channel,
    Endpoint,
)

MINE = "{{name()}}"
"""The name of whoever is asked for, in templates of NATS' scoped signing keys."""
ANSWER_SECONDS = 300
"""How long a question may be answered: looking back at a large fleet takes its time."""
_STREAMS = (STATE_STREAM, HISTORY_STREAM)
INSIDE_API, OUTSIDE_API = "$JS.API", "slicewire.js.API"
"""How JetStream is called in the account of the streams, and from the other one; see zones.py."""
OUTSIDE = ("node", "user", "reader")
"""Roles that are not trusted with more than their own: they have another account."""
_CONSUMER = "CONSUMER.CREATE"
_PULLING = ("CONSUMER.MSG.NEXT", "CONSUMER.INFO", "CONSUMER.DELETE")
_WORK = f"allocator-{CLAIMS.kind}"
"""The one durable consumer. Whoever could write it could keep claims from being decided."""
ROLL_CALL, _WHO_AM_I = "$SRV.PING", "$SYS.REQ.USER.INFO"
"""Which services there are; and what the server has to say of whoever asks it."""
Channels = tuple[Channel[Any], ...]
Endpoints = tuple[Endpoint[Any, Any], ...]


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What one role may publish and hear. What is not named here the server refuses."""

    publish: tuple[str, ...]
    never: tuple[str, ...] = ()
    """Not even where `publish` has it."""
    subscribe: tuple[str, ...]
    answers: bool = False
    """May answer a question it was put."""


class _Role(msgspec.Struct, frozen=True, kw_only=True):
    parts: tuple[str, ...] = ()
    """Its services: they tell the channels that name them as author, and answer the endpoints they serve."""
    tells: Channels = ()
    asks: Endpoints = ()
    is_node: bool = False
    makes_streams: bool = False
    takes_work: bool = False
    pulls: bool = False
    """Follows with other programs, too, which ask for what is next."""


_ROLES = {
    "node": _Role(parts=("discovery", "node-prep"), is_node=True),
    "allocator": _Role(parts=("allocator",), tells=(CLAIMS,), makes_streams=True, takes_work=True),
    "publisher": _Role(parts=("publisher",), asks=(ALIVE,), makes_streams=True),
    "user": _Role(
        tells=(CLASSES, TAINT_RULES),
        asks=(ALLOCATE, RELEASE, EXPLAIN, WHATIF, CAPACITY, PREPARE, UNPREPARE, ALIVE),
        pulls=True,
    ),
    "reader": _Role(asks=(EXPLAIN, WHATIF, CAPACITY), pulls=True),
}
PARTS = ("allocator", "publisher", "user", "admin")
"""Roles with one identity each, of the same name. Nodes and readers have a name each."""
ROLES = (*_ROLES, "admin")


def inbox(role: str, name: str) -> str:
    """Where this one's answers come: nobody else may listen there."""
    return f"_INBOX.{role}.{name}"


def api(role: str) -> str:
    """How this role calls JetStream."""
    return OUTSIDE_API if role in OUTSIDE else INSIDE_API


def makes_streams(role: str) -> bool:
    """Others wait until there are some. Credentials that were made elsewhere name no role."""
    return not role or (role in _ROLES and _ROLES[role].makes_streams)


def rights(role: str) -> Rights:
    """What an identity of this role may say and hear."""
    answers_to = f"{inbox(role, MINE)}.>"
    if role == "admin":
        everything = (f"{VERSION}.>", "$JS.API.>", "$JS.ACK.>", "$JS.FC.>", ROLL_CALL, _WHO_AM_I)
        return Rights(publish=everything, subscribe=(answers_to,))
    its = _ROLES[role]
    served = [endpoint for endpoint in ENDPOINTS if endpoint.server in its.parts]
    return Rights(
        publish=(*_tells(its), *_asks(its.asks), *_jetstream(its, api(role)), _WHO_AM_I),
        never=() if its.takes_work else _others_work(api(role)),
        subscribe=(answers_to, *_serves(its, served)),
        answers=bool(served),
    )


def _tells(its: _Role) -> Iterable[str]:
    for channel in CATALOGUE:
        if channel.author in its.parts or channel in its.tells:
            first = MINE if its.is_node else "*"
            yield ".".join((VERSION, "state", channel.kind, first, *("*" for _ in channel.key_names[1:])))


def _asks(endpoints: Endpoints) -> Iterable[str]:
    return (endpoint.pattern for endpoint in endpoints)


def _serves(its: _Role, endpoints: Iterable[Endpoint[Any, Any]]) -> Iterable[str]:
    for endpoint in endpoints:
        rest = endpoint.key_names[1:] if its.is_node else endpoint.key_names
        mine = (MINE,) if its.is_node else ()
        yield ".".join((VERSION, "request", endpoint.name, *mine, *("*" for _ in rest)))
    for part in {endpoint.server: None for endpoint in endpoints}:
        # NATS' micro services are asked for by name, by id, and all at once.
        yield from (f"$SRV.*.slicewire-{part}", f"$SRV.*.slicewire-{part}.*")
        yield "$SRV.*"


def _others_work(api: str) -> tuple[str, ...]:
    its = (_CONSUMER, *_PULLING)
    return (
        *(f"{api}.{call}.{STATE_STREAM}.{_WORK}" for call in its),
        f"{api}.{_CONSUMER}.{STATE_STREAM}.{_WORK}.>",
    )


def _jetstream(its: _Role, api: str) -> Iterable[str]:
    for stream in _STREAMS:
        yield f"{api}.STREAM.INFO.{stream}"
        yield f"$JS.FC.{stream}.>"
        if its.makes_streams:
            yield f"{api}.STREAM.CREATE.{stream}"
    if its.is_node:
        # The filter is in the subject, so the server sees to it that a node hears of itself alone.
        yield f"{api}.{_CONSUMER}.{STATE_STREAM}.*.{VERSION}.state.*.{MINE}.>"
        return
    for stream in _STREAMS:
        yield from (f"{api}.{_CONSUMER}.{stream}.*", f"{api}.{_CONSUMER}.{stream}.*.>")
        yield from (f"{api}.DIRECT.GET.{stream}", f"{api}.DIRECT.GET.{stream}.>")
        if its.pulls:
            yield from (f"{api}.{call}.{stream}.*" for call in _PULLING)
    if its.takes_work:
        yield from (f"{api}.CONSUMER.MSG.NEXT.{STATE_STREAM}.{_WORK}", f"$JS.ACK.{STATE_STREAM}.{_WORK}.>")
