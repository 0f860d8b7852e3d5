"""Hostile facts of every kind: whoever follows goes on, says what it could not read, and loses nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from slicewire.common.messages import CATALOGUE, INVENTORY, LEDGERS, Channel
from slicewire.common.model import wire
from slicewire.common.samples import sample
from tests.component.allocator.world import DRIVER, World, claim, of_kubernetes, pool, until
from tests.hostile.words import BODIES
from tests.hostile.world import Stranger

pytestmark = pytest.mark.slow


def subject(channel: Channel[Any]) -> str:
    return channel.subject(*(f"evil-{number}" for number in range(len(channel.key_names))))


async def still_allocates(world: World, name: str = "after") -> None:
    (answer,) = await world.allocate(claim(name))
    assert answer.allocation is not None


@pytest.mark.parametrize("channel", CATALOGUE, ids=[channel.kind for channel in CATALOGUE])
async def test_bodies_that_cannot_be_read_are_said_and_stop_nobody(
    world: World, someone: Stranger, channel: Channel[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for body in BODIES.values():
        await someone.tell(subject(channel), body)
    await still_allocates(world)
    assert list(await world.now(INVENTORY)) == [("node-a", DRIVER)]
    await world.now(channel)
    assert "message cannot be read" in caplog.messages


@pytest.mark.parametrize("channel", CATALOGUE, ids=[channel.kind for channel in CATALOGUE])
async def test_a_subject_of_too_few_or_too_many_names_is_nobodys(
    world: World, someone: Stranger, channel: Channel[Any]
) -> None:
    good = wire.encode(sample(channel.fact))
    kind = f"slicewire.v1.state.{channel.kind}"
    for key in ("one", "one.two", "one.two.three", "_", "._", "a.b.c.d.e.f"):
        for body in (good, b"null"):
            if not key.startswith("."):
                await someone.tell(f"{kind}.{key}", body)
    await still_allocates(world)


async def test_a_node_cannot_speak_for_another_one(world: World, someone: Stranger) -> None:
    """Its rights end at its own subjects: what a fact says of itself must be where it stands."""
    stolen = wire.encode(pool("node-a", gpus=0, generation=99))
    await someone.tell(f"slicewire.v1.state.inventory.node-b.{DRIVER.replace('.', '_')}", stolen)
    await still_allocates(world)
    assert list(await world.now(INVENTORY)) == [("node-a", DRIVER)]


async def test_a_claim_told_under_the_uid_of_another_is_not_heard(world: World, someone: Stranger) -> None:
    await world.allocate(claim("mine"))
    forged = {"claim": wire.to_builtins(claim("other", 4))}
    await someone.tell("slicewire.v1.state.claim.uid-mine", wire.encode(forged))
    await still_allocates(world)
    assert set(await world.held()) == {"uid-mine", "uid-after"}


@pytest.mark.parametrize("wrong", ["net/rack-1", "a b", "*", ">", "../..", "x" * 10_000, "a\nb"])
async def test_an_allocation_from_a_pool_that_no_subject_can_name_is_left_to_its_driver(
    world: World, wrong: str
) -> None:
    """A pool's name may have slashes in it (API reference of ResourcePool): those of others often do."""
    result = {"request": "gpu", "driver": "net.example.com", "pool": wrong, "device": "nic-0"}
    found = of_kubernetes(claim("foreign"))
    document = wire.to_builtins(found)
    document["status"] = {"allocation": {"devices": {"results": [result]}}}
    await world.show(wire.convert(document, type(found)))
    await still_allocates(world)
    ledgers = await world.now(LEDGERS)
    assert list(ledgers) == [("node-a", DRIVER)]


async def test_headers_of_all_kinds_are_no_more_than_text(world: World, someone: Stranger) -> None:
    for value in ("", "0", "-1", "00-xyz", "00-" + "f" * 32 + "-" + "0" * 16 + "-01", "ä", "x" * 4000):
        await someone.tell(
            f"slicewire.v1.state.inventory.node-b.{DRIVER.replace('.', '_')}",
            wire.encode(pool("node-b", gpus=1)),
            traceparent=value,
            ce_id=value or "empty",
            ce_type=value,
        )
    held = await until(lambda: world.now(INVENTORY), lambda found: len(found) == 2)
    assert held["node-b", DRIVER].devices
    await still_allocates(world)


async def test_what_is_thrown_at_an_inbox_is_not_taken_for_the_servers_word(
    world: World, someone: Stranger
) -> None:
    for reply in ("$JS.ACK.", "$JS.ACK.a.b.c", "$JS.ACK.a.b.c.d.e.f.g", "$JS.ACK." + "x." * 9 + "y"):
        await someone.throw("slicewire.v1.request.explain", b"{}", reply)
    await still_allocates(world)
