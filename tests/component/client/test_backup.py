"""`slicewire backup` and `restore` on a real bus: what was there is there again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from slicewire.client import backup
from slicewire.client.cli import app
from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Committed, Declined, Past, Stale, StreamLost, Write
from slicewire.common.bus.shared import ThroughBus
from slicewire.common.messages import (
    ANSWERS,
    CATALOGUE,
    CLASSES,
    HISTORY_STREAM,
    INVENTORY,
    LEDGERS,
    STATE_STREAM,
    PoolObserved,
)
from slicewire.common.model import NodeName, TraceParent, wire
from slicewire.common.samples import sample
from tests.soak import history

pytestmark = pytest.mark.slow


class DyingBus(ThroughBus):
    """Dies at its second commit."""

    commits = 0

    async def commit(self, writes: Any) -> Committed | Stale:
        if self.commits:
            raise KeyboardInterrupt
        self.commits += 1
        return await super().commit(writes)


TRACE = TraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def facts() -> list[Write]:
    """One of each kind."""
    found: list[Write] = []
    for channel in CATALOGUE:
        fact = sample(channel.fact)
        found.append(Write(channel, channel.key(fact), fact, trace=TRACE))
    return found


async def state(bus: NatsBus) -> dict[tuple[str, tuple[str, ...]], bytes]:
    found = await backup.everything(bus)
    return {place: wire.encode(one.fact) for place, one in found.items() if one.fact is not None}


async def history_has_it(bus: NatsBus) -> None:
    async with asyncio.timeout(10):
        while await history.source_lag(bus.link):
            await asyncio.sleep(0.02)


async def lose_the_streams(bus: NatsBus) -> None:
    for stream in (HISTORY_STREAM, STATE_STREAM):
        await bus.link.api(f"STREAM.DELETE.{stream}", {})


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
async def kept(bus: NatsBus, tmp_path: Path) -> Path:
    """The backup of a state with one fact of each kind."""
    for write in facts():
        await bus.commit([write])
    await bus.commit([Write(CLASSES, ("gone",), None)])
    path = tmp_path / "state.jsonl"
    await history_has_it(bus)
    backup.save((await backup.taken(bus)).facts, path)
    return path


async def test_what_was_saved_is_there_again_and_followers_notice(
    broker: Broker, bus: NatsBus, kept: Path
) -> None:
    before = await state(bus)
    assert kept.stat().st_mode & 0o777 == 0o600
    lost = asyncio.create_task(follow_until_lost(bus))
    await lose_the_streams(bus)
    async with connected(broker.url, name="maker", patience_seconds=5) as other:
        assert await backup.restore(other, backup.load(kept)) == backup.Restored(len(facts()), 0)
        assert await state(other) == before
        told = await backup.everything(other)
        assert {one.headers.get("traceparent") for one in told.values()} == {TRACE}
    assert "was made anew" in await asyncio.wait_for(lost, 15)


async def follow_until_lost(bus: NatsBus) -> str:
    try:
        async for _ in bus.follow(LEDGERS):
            pass
    except StreamLost as lost:
        return str(lost)
    raise AssertionError("following ended")


async def test_killed_in_the_middle_it_goes_on(bus: NatsBus, kept: Path) -> None:
    before = await state(bus)
    await bus.link.api(f"STREAM.PURGE.{STATE_STREAM}", {})
    with pytest.raises(KeyboardInterrupt):
        await backup.restore(DyingBus(bus), backup.load(kept), 3)
    done = await backup.restore(bus, backup.load(kept))
    assert done == backup.Restored(len(facts()) - 3, 3)
    assert await state(bus) == before


async def test_another_decision_since_is_not_written_over(bus: NatsBus, kept: Path) -> None:
    (answer,) = (write for write in facts() if write.channel.kind == ANSWERS.kind)
    await bus.link.api(f"STREAM.PURGE.{STATE_STREAM}", {})
    await bus.commit([Write(LEDGERS, ledger_key(), empty_ledger())])
    with pytest.raises(backup.BadBackup, match="was decided anew since: nothing is written"):
        await backup.restore(bus, backup.load(kept))
    assert (answer.channel.kind, answer.key) not in await state(bus)


def ledger_key() -> tuple[str, ...]:
    return next(write.key for write in facts() if write.channel.kind == LEDGERS.kind)


def empty_ledger() -> Any:
    node, driver = ledger_key()
    return LEDGERS.fact(node=node, driver=driver)  # type: ignore[arg-type]


async def test_the_commands_say_what_they_did(bus: NatsBus, broker: Broker, tmp_path: Path) -> None:
    for write in facts():
        await bus.commit([write])
    await history_has_it(bus)
    path = str(tmp_path / "state.jsonl")
    saved = await asyncio.to_thread(command, "backup", path, "--nats-url", broker.url)
    assert (saved.exit_code, f"{len(facts())} facts" in saved.output) == (0, True), saved.output
    again = await asyncio.to_thread(command, "restore", path, "--nats-url", broker.url)
    assert f"0 facts written, {len(facts())} were there already" in again.output


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda lines: lines[:-1], "was cut off"),
        (
            lambda lines: [lines[0], lines[1].replace(b'"kind":"', b'"kind":"x'), *lines[2:]],
            "there is no kind",
        ),
        (lambda lines: [lines[0], lines[1][:-5], *lines[2:]], "line 2"),
        (lambda lines: [lines[0].replace(b"1", b"9", 1), *lines[1:]], "has format 9"),
        (lambda _: [], "line 1"),
    ],
)
async def test_a_file_that_was_spoilt_is_refused(kept: Path, spoil: Any, reason: str) -> None:
    kept.write_bytes(b"".join(line + b"\n" for line in spoil(kept.read_bytes().splitlines())))
    with pytest.raises(backup.BadBackup, match=reason):
        backup.load(kept)


def both(number: int) -> list[Write]:
    """Two pools that are told together, and of one generation."""
    made = msgspec.structs.replace(sample(PoolObserved), generation=number)
    pools = [msgspec.structs.replace(made, node=NodeName(name)) for name in "ab"]
    return [Write(INVENTORY, INVENTORY.key(pool), pool) for pool in pools]


class BusyBus(ThroughBus):
    """Somebody writes before each of the first looks back."""

    def __init__(self, bus: NatsBus, writes: int) -> None:
        super().__init__(bus)
        self._writes = writes

    async def as_of(self, event: int | None, *channels: Any) -> Past | Declined:
        if self._writes:
            self._writes -= 1
            await self.commit(both(self._writes))
            assert isinstance(self._bus, NatsBus)
            await history_has_it(self._bus)
        return await super().as_of(event, *channels)


async def test_it_is_taken_at_a_moment_at_which_nobody_writes(bus: NatsBus) -> None:
    past = await backup.taken(BusyBus(bus, 3))
    assert past.moment.gaps == ()
    assert [one.fact.generation for one in past.facts if one.fact] == [0, 0]


async def test_where_there_is_no_such_moment_it_says_so(bus: NatsBus) -> None:
    past = await backup.taken(BusyBus(bus, 1000))
    assert any("others wrote all the while" in gap for gap in past.moment.gaps)
