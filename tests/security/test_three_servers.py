"""Three servers, three copies of each stream: any one may be killed under load, and nothing is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from slicewire.client.credentials.folder import Folder
from slicewire.client.local.processes import Command
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import CaughtUp
from slicewire.common.messages import ANSWERS, CLASSES, INVENTORY, STATE_STREAM, ClaimAnswered, ClassObserved
from slicewire.common.model import ClaimUID
from tests.security.losses import Loss, Pulse, lose, whole
from tests.security.parts import kept, secured
from tests.security.servers import Server, three
from tests.soak import checker, fleet, history, plan
from tests.soak.run import _keep_everything, _quiet
from tests.soak.users import Users

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
SEED = 2026


def allocators(folder: Folder, url: str, place: Path) -> list[Command]:
    made = []
    for name in ("allocator-1", "allocator-2"):
        environ = {
            "SLICEWIRE_NATS_URL": url,
            "SLICEWIRE_LOG_FORMAT": "text",
            "SLICEWIRE_ALLOCATOR_INSTANCE": name,
            "SLICEWIRE_ALLOCATOR_UNTOLD_NODES": "slicewire",
        }
        command = Command(name, "slicewire-allocator", environ, place / f"{name}.log")
        made.append(secured(command, folder, replicas=3))
    return made


async def latest_answers(bus: NatsBus) -> dict[ClaimUID, ClaimAnswered]:
    found = {}
    async for heard in bus.follow(ANSWERS):
        if isinstance(heard, CaughtUp):
            break
        if heard.fact is not None:
            found[ClaimUID(heard.key[0])] = heard.fact
    return found


async def lose_each(bus: NatsBus, servers: Sequence[Server]) -> AsyncIterator[Loss]:
    pulse, done = Pulse(bus), set[str]()
    beating = asyncio.create_task(pulse.beat())
    try:
        for _ in servers:
            await asyncio.sleep(2)
            loss = await lose(bus, servers, done, pulse)
            done.add(loss.server)
            yield loss
    finally:
        beating.cancel()


async def live(users: Users, bus: NatsBus, servers: Sequence[Server]) -> list[Loss]:
    """Claims are allocated and given back all the while, and each server is lost once."""
    for device_class in fleet.classes():
        key = (device_class.metadata.name,)
        await users.tell(CLASSES, key, ClassObserved(device_class=device_class))
    for place, pool in fleet.pools().items():
        await users.tell(INVENTORY, place, pool)
    lanes = [plan.over_the_bus(SEED, lane) for lane in range(8)]
    async with asyncio.TaskGroup() as tasks:
        for number, operations in enumerate(lanes):
            tasks.create_task(users.live(operations, Random(f"{SEED}/pace/{number}")))
        losses = [loss async for loss in lose_each(bus, servers)]
        users.over.set()
    return losses


async def test_any_server_may_be_lost_under_load(folder: Folder, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(three(folder, tmp_path))
        url = ",".join(server.url for server in servers)

        def joining(name: str) -> AbstractAsyncContextManager[NatsBus]:
            file, authority = folder.path / "clients/admin.creds", folder.path / "clients/ca.crt"
            return connected(
                url, name=name, credentials=str(file), authority=str(authority), patience_seconds=30
            )

        await stack.enter_async_context(kept(allocators(folder, url, tmp_path / "logs")))
        buses = [await stack.enter_async_context(joining(f"user-{number}")) for number in range(3)]
        await whole(buses[0])
        config = (await buses[0].link.api(f"STREAM.INFO.{STATE_STREAM}", {}))["config"]
        assert config["num_replicas"] == 3, "an allocator made it as its settings say"
        await _keep_everything(buses[0])
        users = Users(buses)
        listening = asyncio.create_task(users.listen())
        losses = await live(users, buses[0], servers)
        await _quiet(buses[0], users.log)
        listening.cancel()
        assert users.answers == await latest_answers(buses[0]), "who followed all along has missed nothing"
        count = await history.save(buses[0].link, tmp_path / "history.jsonl")
    sys.stderr.write(f"{count} facts, {len(users.log)} acknowledgements, {dict(users.done)}\n{losses}\n")
    found = checker.violations(history.load(tmp_path / "history.jsonl"), users.log)
    assert found == ()
    assert {loss.server for loss in losses} == {"n1", "n2", "n3"}
    assert any(STATE_STREAM in loss.led for loss in losses), "a leader was among them"
