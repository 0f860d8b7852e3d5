"""What every part measures of itself: whether it lives, is ready, and keeps up with the bus.

Each series carries the label `part`. Refuses what only one part knows: that is in its own `metrics.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from slicewire.common.bus.port import Committed, Stale, Write
from slicewire.common.metrics import Counter, Gauge, Histogram, Instrument, Label, Sample

_KIND = Label("kind", says="the kinds of facts, see messages.md")
_STREAM = Label("stream", says="`SLICEWIRE_STATE` or `SLICEWIRE_HISTORY`")
_ENDPOINT = Label("endpoint", says="the questions, see messages.md")

BUILD = Gauge(
    "slicewire_build_info",
    "Always 1; its labels say what runs",
    Label("version", says="of Slicewire"),
    Label("python", says="of Python"),
)
READY = Gauge("slicewire_ready", "1 while /readyz answers 200, else 0", otherwise=0, together=min)
BUS_CONNECTED = Gauge(
    "slicewire_bus_connected", "1 while there is a connection to the bus, else 0", otherwise=0, together=min
)
BUS_RECONNECTS = Counter("slicewire_bus_reconnects_total", "How often the bus was away and came back")
FACTS_TOLD = Counter("slicewire_facts_told_total", "Facts that were kept by the stream, ends included", _KIND)
FACTS_HEARD = Counter("slicewire_facts_heard_total", "Facts that were heard or taken to be worked on", _KIND)
COMMITS_STALE = Counter(
    "slicewire_commits_stale_total", "Commits of which the stream kept nothing, as a key had moved on"
)
UNREADABLE = Counter("slicewire_messages_unreadable_total", "Messages on our subjects that could not be read")
FOLLOWER_BEHIND = Gauge(
    "slicewire_follower_behind_messages", "Facts that are in the stream and have not been heard", _STREAM
)
FOLLOWER_BEHIND_SECONDS = Gauge(
    "slicewire_follower_behind_seconds",
    "How long ago the fact was told that was heard last, while more wait; 0 while none does",
    _STREAM,
    unit="seconds",
    together=max,
)
FOLLOWER_SILENT_SECONDS = Gauge(
    "slicewire_follower_silent_seconds",
    "Since the stream was heard of last; it says every 2 seconds that it is there",
    _STREAM,
    unit="seconds",
    together=max,
)
ANSWERS = Counter(
    "slicewire_answers_total",
    "Questions that were answered, by what came of them",
    _ENDPOINT,
    Label("code", says="200, or the code of the refusal as in HTTP: 400, 404, 409, 500, 503"),
)
ANSWER_SECONDS = Histogram(
    "slicewire_answer_seconds", "From a question's arrival to its answer's leaving", _ENDPOINT
)
LINES = Counter(
    "slicewire_log_lines_total",
    "Lines that were logged; an ERROR is for a person to act on",
    Label("level", ("DEBUG", "INFO", "WARNING", "ERROR")),
)
ALL: tuple[Instrument, ...] = (
    BUILD,
    READY,
    BUS_CONNECTED,
    BUS_RECONNECTS,
    FACTS_TOLD,
    FACTS_HEARD,
    COMMITS_STALE,
    UNREADABLE,
    FOLLOWER_BEHIND,
    FOLLOWER_BEHIND_SECONDS,
    FOLLOWER_SILENT_SECONDS,
    ANSWERS,
    ANSWER_SECONDS,
    LINES,
)


def told(writes: Sequence[Write], outcome: Committed | Stale) -> Committed | Stale:
    """Count a commit by what became of it."""
    match outcome:
        case Committed():
            for write in writes:
                FACTS_TOLD.add(write.channel.kind)
        case Stale():
            COMMITS_STALE.add()
    return outcome


class Follower(Protocol):
    """Where a following is."""

    @property
    def waiting(self) -> int:
        """Facts that are known to come after what was heard last."""

    @property
    def told_at(self) -> str:
        """When what was heard last was told, as its envelope says; "" where it does not."""

    @property
    def last_contact(self) -> float:
        """By the monotonic clock."""


@contextmanager
def following(stream: str, follower: Follower) -> Iterator[None]:
    """How far it is behind is shown while this is open."""
    with (
        FOLLOWER_BEHIND.shown(lambda: [((stream,), follower.waiting)]),
        FOLLOWER_BEHIND_SECONDS.shown(lambda: [((stream,), _late(follower))]),
        FOLLOWER_SILENT_SECONDS.shown(lambda: [((stream,), time.monotonic() - follower.last_contact)]),
    ):
        yield


def _late(follower: Follower) -> float:
    if not follower.waiting or not follower.told_at:
        return 0.0
    told = datetime.fromisoformat(follower.told_at)
    return max((datetime.now(UTC) - told).total_seconds(), 0.0)


@contextmanager
def living(is_ready: Callable[[], bool]) -> Iterator[None]:
    """This process is what it is, and ready or not, while open."""
    with BUILD.shown(_build), READY.shown(lambda: [((), float(is_ready()))]):
        yield


def _build() -> list[Sample]:
    from importlib import metadata  # noqa: PLC0415 - 10 ms of a start, and asked for by a look alone

    python = ".".join(map(str, sys.version_info[:3]))
    return [((metadata.version("slicewire-common"), python), 1.0)]
