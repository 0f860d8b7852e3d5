"""Is the bus well? What was seen of it, as findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from slicewire.client.doctorfindings import Finding, counted, error, fine, named, warn
from slicewire.client.refusals import next_step
from slicewire.common.bus.examining import Consumer, Examined, Server, Service, Storage, Stream, Unanswered
from slicewire.common.bus.nats import OLDEST_SERVER
from slicewire.common.messages import HISTORY_STREAM, STATE_STREAM

_SKEW_SECONDS, _LARGE_SKEW_SECONDS = 2.0, 30.0
_SLOW_SECONDS = 0.25
_FULL, _NEARLY_FULL = 95, 80
_MUCH_WORK, _FAR_BEHIND = 200, 1000
_HERE = re.compile(r"//(127\.|localhost|\[::1\])")
_MUST_BE = {"storage": "file", "max_msgs_per_subject": 1, "allow_atomic": True, "allow_msg_ttl": True}
"""Of the state. Without atomic batches a device could be given twice."""


def bus_findings(seen: Examined) -> Iterator[Finding]:
    if isinstance(seen.server, Unanswered):
        yield error(
            "bus",
            seen.server.reason,
            "Nothing is allocated and nothing new is prepared while it is away. What runs goes on, and what"
            " is prepared stays.",
            _sentence(next_step(seen.server.reason))
            or "Start nats-server (or `slicewire up`), or name the right one with --nats-url.",
        )
        return
    yield from _server(seen.server, is_here=bool(_HERE.search(seen.url)))
    if all(isinstance(one, Unanswered) and not one.is_missing for one in seen.streams.values()):
        yield _no_jetstream(seen.storage)
        return
    yield from _storage(seen.storage)
    for name, stream in seen.streams.items():
        if isinstance(stream, Unanswered):
            yield _no_stream(name, stream)
        else:
            yield from _state(stream) if name == STATE_STREAM else _history(stream)


def _sentence(step: str) -> str:
    return f"{step[0].upper()}{step[1:]}." if step else ""


def unseen_findings(unseen: Sequence[str]) -> Iterator[Finding]:
    """What is not looked at is no finding, and not well either."""
    if unseen:
        yield warn(
            "rights",
            f"these credentials may not see {', '.join(unseen)}",
            "The rest was looked at. Of these nothing is known, good or bad.",
            "Let SLICEWIRE_NATS_CREDENTIALS name admin.creds, and ask again.",
        )


def _server(server: Server, *, is_here: bool) -> Iterator[Finding]:
    version = ".".join(map(str, server.version))
    if server.version[:2] < OLDEST_SERVER:
        yield error(
            "bus",
            f"nats-server {version} is too old",
            "It ignores atomic batches silently: a device could be given twice. No part of Slicewire starts.",
            f"Install {'.'.join(map(str, OLDEST_SERVER))} or newer.",
        )
    else:
        yield fine("bus", f"nats-server {version}, {server.round_trip_seconds * 1000:.1f} ms away")
    if server.round_trip_seconds > _SLOW_SECONDS:
        yield warn(
            "bus",
            f"an answer takes {server.round_trip_seconds * 1000:.0f} ms",
            "Every claim waits for several answers.",
            "Look at the load of the server and at the network between.",
        )
    yield from _clock(server.ahead_seconds)
    if not is_here and not (server.encrypts and server.user):
        asked = {"TLS": server.encrypts, "users": server.user}
        lacking = [what for what, has in asked.items() if not has]
        yield warn(
            "bus",
            f"the server asks for no {' and no '.join(lacking)}",
            "Whoever reaches it can read every claim, and give devices away.",
            "Make keys and users: `slicewire credentials init`, see docs/bus-security.md.",
        )


def _clock(ahead: float | None) -> Iterator[Finding]:
    if ahead is None:
        yield fine("clocks", "the server did not say its time")
    elif abs(ahead) <= _SKEW_SECONDS:
        yield fine("clocks", f"{abs(ahead) * 1000:.0f} ms apart")
    else:
        level = error if abs(ahead) > _LARGE_SKEW_SECONDS else warn
        yield level(
            "clocks",
            f"the server's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours",
            "Leases, certificates and the times in facts are judged by clocks.",
            "Let both keep time (chrony or systemd-timesyncd).",
        )


def _no_jetstream(storage: Storage | Unanswered) -> Finding:
    reason = storage.reason if isinstance(storage, Unanswered) else "no stream can be looked at"
    return error(
        "JetStream",
        reason,
        "The streams are the state: without them nothing can be decided.",
        "Start nats-server with --jetstream (`jetstream {}` in its configuration), see that its disk has"
        " room, and that most servers of its cluster are up.",
    )


def _storage(storage: Storage | Unanswered) -> Iterator[Finding]:
    if isinstance(storage, Unanswered) or storage.limit <= 0:
        return
    percent = storage.used * 100 // storage.limit
    what = f"{percent} % of {storage.limit // 1024**2:,} MiB used"
    if percent < _NEARLY_FULL:
        yield fine("JetStream", what)
        return
    level = error if percent >= _FULL else warn
    yield level(
        "JetStream",
        what,
        "When it is full nothing more can be told, and no claim be decided.",
        "Raise the account's limit, or let the history keep less (max_bytes of SLICEWIRE_HISTORY).",
    )


def _no_stream(name: str, why: Unanswered) -> Finding:
    return error(
        name,
        "there is no such stream" if why.is_missing else why.reason,
        "It holds what the fleet is, or was."
        if name == STATE_STREAM
        else "Nothing can be replayed, and --at has nothing to read.",
        "An allocator or publisher makes it when it starts. If it was there before, its disk was lost: see"
        " docs/operations.md.",
    )


def _state(stream: Stream) -> Iterator[Finding]:
    wrong = {
        name: stream.settings.get(name)
        for name, value in _MUST_BE.items()
        if stream.settings.get(name) != value
    }
    if wrong:
        said = ", ".join(f"{name} is {value!r}, not {_MUST_BE[name]!r}" for name, value in wrong.items())
        yield error(
            stream.name,
            said,
            "Somebody has changed it. What Slicewire promises stands on these settings.",
            f"Set them back with `nats stream edit {stream.name}`; where the server refuses, delete the"
            " stream while all parts are stopped, and start them.",
        )
    yield from _copies(stream)
    if not wrong:
        size = f"{stream.bytes / 1024**2:.1f} MiB"
        yield fine(stream.name, f"{counted(stream.messages, 'fact')}, {size}, up to {stream.last}")
    for consumer in stream.consumers:
        yield from _lag(consumer)


def _copies(stream: Stream) -> Iterator[Finding]:
    if stream.away:
        yield warn(
            stream.name,
            f"{counted(len(stream.away), 'copy', 'copies')} not current: {named(stream.away)}",
            "When one more is lost nothing can be told any more.",
            "Bring those servers back; `nats stream cluster` says how far they are.",
        )


def _lag(consumer: Consumer) -> Iterator[Finding]:
    if consumer.durable and consumer.pending + consumer.unacknowledged > _MUCH_WORK:
        yield warn(
            "lag",
            f"{consumer.name}: {counted(consumer.pending, 'fact')} not yet handed out,"
            f" {consumer.unacknowledged:,} not yet done",
            "Claims are told faster than they are decided, or nobody decides them.",
            "Look at the allocators: their logs, their number, their CPU.",
        )
    elif not consumer.durable and consumer.pending > _FAR_BEHIND:
        yield warn(
            "lag",
            f"a follower ({consumer.name}) is {counted(consumer.pending, 'fact')} behind",
            "Whoever it is does not read as fast as it is told; it decides on what was.",
            "It may be starting. If it stays so, look at that part's CPU and network.",
        )


def _history(stream: Stream) -> Iterator[Finding]:
    yield from _copies(stream)
    if stream.behind > _FAR_BEHIND:
        yield warn(
            HISTORY_STREAM,
            f"{counted(stream.behind, 'fact')} behind the state",
            "A fact that is superseded before it is taken in is missing from the history.",
            "Look at the disk and load of its servers.",
        )
    else:
        yield fine(stream.name, f"{counted(stream.messages, 'event')}, {stream.first} to {stream.last}")


def service_findings(services: tuple[Service, ...], *, allocator_answers: bool) -> Iterator[Finding]:
    """Who answers questions. Not everybody may ask for names: then one question was put instead."""
    allocators = [one for one in services if one.name.startswith("allocator")]
    if not allocator_answers:
        yield error(
            "allocators",
            "none answers",
            "No claim is decided; claims that are prepared stay so.",
            "Start slicewire-allocator; if it runs, its log and /readyz say whether it has caught up.",
        )
    elif len(allocators) == 1:
        yield warn(
            "allocators",
            "one answers",
            "While it starts anew nobody decides.",
            "Run two or more: they share the work and never give a device twice.",
        )
    else:
        number = f"{len(allocators)} answer" if allocators else "at least one answers"
        yield fine("allocators", number)
    versions = sorted({one.version for one in services})
    if len(versions) > 1:
        yield warn(
            "versions",
            f"parts of {counted(len(versions), 'version')} answer: {named(versions)}",
            "They understand each other; only the fields that the oldest knows can be counted on.",
            "Finish the upgrade.",
        )
    elif versions:
        yield fine("versions", f"{counted(len(services), 'service')} of {versions[0]}")
