"""The two streams: the current state, and what it was before."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from slicewire.common import messages
from slicewire.common.bus.link import ApiFault, Link
from slicewire.common.bus.port import REFUSED_SECONDS, BusUnavailable, NotAllowed
from slicewire.common.logs import Log

_STREAM_NOT_FOUND = 10059
_STREAM_EXISTS = 10058
_NANOSECONDS = 1_000_000_000
_RETRY_SECONDS = 0.25
_log = Log("bus")
TOMBSTONE_SECONDS = 24 * 3600
"""How long the stream says that a key is gone. A follower away for longer starts anew."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much the streams keep, and on how many servers."""

    replicas: int = 1
    history_seconds: int = 7 * 24 * 3600
    history_bytes: int = 4 * 1024**3


def _state(retention: Retention) -> dict[str, Any]:
    return {
        "name": messages.STATE_STREAM,
        "description": "The current state: the latest fact of every key",
        "subjects": [messages.STATE_SUBJECTS],
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "max_msgs_per_subject": 1,
        "num_replicas": retention.replicas,
        "allow_atomic": True,
        "allow_msg_ttl": True,
        "allow_direct": True,
    }


def _history(retention: Retention) -> dict[str, Any]:
    # No allow_msg_ttl: a key's end stays in the history after the state has forgotten it.
    return {
        "name": messages.HISTORY_STREAM,
        "description": "Every fact there was, for replay and audit",
        "sources": [{"name": messages.STATE_STREAM}],
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "num_replicas": retention.replicas,
        "max_age": retention.history_seconds * _NANOSECONDS,
        "max_bytes": retention.history_bytes,
        "allow_direct": True,
    }


async def ensure(link: Link, retention: Retention | None) -> None:
    """Create what is missing, unless it is not for us to create it (no `retention`); leave what an operator
    has changed. Raises `BusUnavailable`, `ApiFault`."""
    for wanted in (_state(retention or Retention()), _history(retention or Retention())):
        try:
            await link.api(f"STREAM.INFO.{wanted['name']}", {})
        except ApiFault as fault:
            if fault.code != _STREAM_NOT_FOUND or retention is None:
                raise
            await _create(link, wanted)


async def _create(link: Link, wanted: dict[str, Any]) -> None:
    try:
        await link.api(f"STREAM.CREATE.{wanted['name']}", wanted)
    except ApiFault as fault:
        if fault.code != _STREAM_EXISTS:  # another part was quicker
            raise


async def ensured(link: Link, retention: Retention | None, patience_seconds: float | None) -> None:
    """Create what is missing, waiting for JetStream for ever or so long; then raises `BusUnavailable`."""
    last: Exception | None = None
    try:
        async with asyncio.timeout(patience_seconds):
            while True:
                try:
                    return await ensure(link, retention)
                except (BusUnavailable, ApiFault) as error:
                    last = error
                    _log.warning("JetStream does not answer yet", reason=str(error))
                await asyncio.sleep(REFUSED_SECONDS if isinstance(last, NotAllowed) else _RETRY_SECONDS)
    except TimeoutError:
        raise BusUnavailable(f"JetStream does not answer: {last or 'no answer in time'}") from last
