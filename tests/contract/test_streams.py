"""Who makes the streams, and how: once, as its settings say, and never over what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from slicewire.common.bus import streams
from slicewire.common.bus.link import ApiFault, Link
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.bus.streams import Retention
from slicewire.common.messages import HISTORY_STREAM, STATE_STREAM

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """As kill -9 would end it."""


class KilledAfterOne:
    """A link of somebody who is killed right after the first stream is made."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def api(self, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._link.api(call, request)
        if call.startswith("STREAM.CREATE."):
            raise Killed
        return answer

    async def send(self, subject: str, data: bytes, reply: str = "") -> None:
        await self._link.send(subject, data, reply)

    def listen(self) -> Any:
        return self._link.listen()


async def config(bus: NatsBus, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = (await bus.link.api(f"STREAM.INFO.{stream}", {}))["config"]
    return found


async def delete_both(bus: NatsBus) -> None:
    for stream in (HISTORY_STREAM, STATE_STREAM):
        await bus.link.api(f"STREAM.DELETE.{stream}", {})


async def test_a_kill_between_the_two_is_made_good_by_whoever_comes_next(bus: NatsBus) -> None:
    await delete_both(bus)
    with pytest.raises(Killed):
        await streams.ensure(KilledAfterOne(bus.link), Retention())
    with pytest.raises(ApiFault):
        await config(bus, HISTORY_STREAM)
    await streams.ensure(bus.link, Retention())
    assert (await config(bus, HISTORY_STREAM))["sources"] == [{"name": STATE_STREAM}]


async def test_what_an_operator_has_set_stays(bus: NatsBus) -> None:
    ours = await config(bus, HISTORY_STREAM) | {"max_bytes": 1_000_000}
    await bus.link.api(f"STREAM.UPDATE.{HISTORY_STREAM}", ours)
    await streams.ensure(bus.link, Retention(replicas=3))
    found = await config(bus, HISTORY_STREAM)
    assert (found["max_bytes"], found["num_replicas"]) == (1_000_000, 1)


async def test_who_may_not_make_them_says_what_is_missing(bus: NatsBus) -> None:
    await delete_both(bus)
    with pytest.raises(BusUnavailable, match="stream not found"):
        await streams.ensured(bus.link, None, 0.3)


async def test_more_copies_than_servers_is_said_and_nothing_is_made(bus: NatsBus, nats_url: str) -> None:
    await delete_both(bus)
    with pytest.raises(BusUnavailable, match="replicas"):
        async with connected(nats_url, name="greedy", retention=Retention(replicas=3), patience_seconds=0.5):
            pytest.fail("it cannot have three copies on one server")
    with pytest.raises(ApiFault):
        await config(bus, STATE_STREAM)
