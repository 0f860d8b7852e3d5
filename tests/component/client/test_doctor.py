"""`slicewire doctor` on real servers, each ill in its own way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slicewire.client.doctor import look
from slicewire.client.doctorbus import bus_findings, service_findings
from slicewire.client.doctorfindings import Finding, Level, is_ill
from slicewire.client.local import broker as brokers
from slicewire.common.bus.examining import Examined, Server, Service, Storage, Unanswered, examine
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.messages import INVENTORY, PREPARED, ClaimPrepared, ClaimRef
from slicewire.common.model import ClaimName, ClaimUID, Namespace, NodeName
from tests.component.allocator.world import World, claim, pool
from tests.component.client.command import Slicewire

pytestmark = pytest.mark.slow

NOBODY = "nats://127.0.0.1:1"


def of(found: Sequence[Finding], about: str) -> list[tuple[str, str]]:
    return [(one.level.value, one.what) for one in found if one.about == about]


async def asked(url: str) -> tuple[Finding, ...]:
    found = await look(url, with_bus=True, with_node=False, patience_seconds=0.4)
    for one in found:
        assert one.what
        if one.level is not Level.OK:
            assert one.meaning, one
            assert one.do, one
    return found


@asynccontextmanager
async def server(folder: Path, *lines: str) -> AsyncIterator[str]:
    """A server with a configuration of its own, which may be a bad one for us."""
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "nats.conf"
    conf.write_text("\n".join(("listen: 127.0.0.1:-1", f'ports_file_dir: "{folder}"', *lines)))
    process = await asyncio.create_subprocess_exec(
        str(brokers.find_binary()), "-c", str(conf), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while not (told := [p for p in folder.glob("*.ports") if p.read_text().endswith("}")]):
                await asyncio.sleep(0.01)
        yield json.loads(told[0].read_text())["nats"][0]
    finally:
        process.terminate()
        await process.wait()


async def test_when_everything_is_down_it_says_so_and_does_not_wait() -> None:
    async with asyncio.timeout(5):
        found = await asked(NOBODY)
    assert of(found, "bus") == [("error", f"no NATS server answers at {NOBODY}")]
    assert is_ill(found)


async def test_a_system_that_is_well_has_no_error(world: World, nats_url: str) -> None:
    await world.allocate(claim("one"))
    found = await asked(nats_url)
    assert not is_ill(found)
    assert of(found, "claims") == [("ok", "1 claim, 0 of them waiting")]
    assert of(found, "allocators") == [("warn", "one answers")]
    ((level, nodes),) = of(found, "nodes")
    assert (level, nodes[:28]) == ("ok", "1 node, 2 devices; last told")
    assert of(found, "schema")[0][0] == "ok"


async def test_a_bus_that_nobody_has_used_is_looked_at_and_left_as_it_is(nats_url: str) -> None:
    for _ in range(2):
        found = await asked(nats_url)
        assert of(found, "SLICEWIRE_STATE") == [("error", "there is no such stream")]
        assert of(found, "SLICEWIRE_HISTORY") == [("error", "there is no such stream")]


async def test_no_allocator_and_no_node_are_told(bus: NatsBus, nats_url: str) -> None:
    found = await asked(nats_url)
    assert of(found, "allocators") == [("error", "none answers")]
    assert of(found, "nodes") == [("warn", "none has told its devices")]


async def test_a_server_without_jetstream(tmp_path: Path) -> None:
    async with server(tmp_path / "bare") as url:
        found = await asked(url)
    assert [one.level for one in found if one.about == "JetStream"] == [Level.ERROR]


async def test_a_server_that_does_not_let_us_in(tmp_path: Path) -> None:
    async with server(
        tmp_path / "closed", "jetstream {}", "authorization { user: ann, password: secret }"
    ) as url:
        found = await asked(url)
        ((level, what),) = of(found, "bus")
        assert level == "error"
        assert "refuses us" in what
        wrong = await asked(url.replace("//", "//ann:wrong@"))
        assert "wrong" not in str(wrong)


@pytest.mark.slow
async def test_a_user_that_may_ask_nothing(tmp_path: Path) -> None:
    may = '{publish: "x", subscribe: "_INBOX.>"}'
    rights = f"authorization {{ users: [{{user: ann, password: s, permissions: {may}}}] }}"
    jetstream = f'jetstream {{ store_dir: "{tmp_path}/js" }}'
    async with asyncio.timeout(8), server(tmp_path / "narrow", jetstream, rights) as url:
        found = await asked(url.replace("//", "//ann:s@"))
    assert [one.level for one in found if one.about == "JetStream"] == [Level.ERROR]
    assert "not allowed" in of(found, "JetStream")[0][1]


async def test_a_stream_that_somebody_has_changed(bus: NatsBus, nats_url: str) -> None:
    info = await bus.link.api("STREAM.INFO.SLICEWIRE_STATE", {})
    await bus.link.api("STREAM.UPDATE.SLICEWIRE_STATE", {**info["config"], "max_msgs_per_subject": 5})
    found = await asked(nats_url)
    assert of(found, "SLICEWIRE_STATE") == [("error", "max_msgs_per_subject is 5, not 1")]


async def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    limits = "accounts { A { jetstream: {max_file: 6G}, users: [{user: a, password: a}] } }"
    jetstream = f'jetstream {{ store_dir: "{tmp_path}/js" }}'
    async with server(tmp_path / "full", jetstream, limits) as plain:
        url = plain.replace("//", "//a:a@")
        async with connected(url, name="x", patience_seconds=5):
            found = await asked(url)
    assert of(found, "JetStream") == [("ok", "0 % of 5,722 MiB used")]
    seen = Examined(
        url=NOBODY,
        server=Server(name="s", version=(2, 15, 0), encrypts=True, user="u"),
        storage=Storage(used=97, limit=100),
    )
    assert of(tuple(bus_findings(seen)), "JetStream") != []


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.1, Level.OK), (-3.0, Level.WARN), (400.0, Level.ERROR), (None, Level.OK)]
)
def test_clocks_that_go_apart(ahead: float | None, level: Level) -> None:
    server_seen = Server(name="s", version=(2, 15, 0), encrypts=True, user="u", ahead_seconds=ahead)
    seen = Examined(
        url=NOBODY, server=server_seen, streams={"SLICEWIRE_STATE": Unanswered("x", is_missing=True)}
    )
    assert [one.level for one in bus_findings(seen) if one.about == "clocks"] == [level]


def test_an_old_server_is_an_error_and_an_open_one_far_away_a_warning() -> None:
    seen = Examined(
        url="nats://bus.example.com:4222", server=Server(name="s", version=(2, 10, 4), encrypts=False)
    )
    found = tuple(bus_findings(seen))
    assert ("error", "nats-server 2.10.4 is too old") in of(found, "bus")
    assert ("warn", "the server asks for no TLS and no users") in of(found, "bus")


def test_parts_of_several_versions_are_told() -> None:
    services = (Service(name="allocator", version="0.1.0"), Service(name="allocator", version="0.2.0"))
    found = tuple(service_findings(services, allocator_answers=True))
    assert of(found, "allocators") == [("ok", "2 answer")]
    assert of(found, "versions") == [("warn", "parts of 2 versions answer: 0.1.0, 0.2.0")]


async def test_claims_that_wait_or_failed_are_named(world: World, nats_url: str, bus: NatsBus) -> None:
    await world.allocate(claim("too-many", 9))
    ref = ClaimRef(uid=ClaimUID("u"), namespace=Namespace("ns"), name=ClaimName("broken"))
    await bus.tell(PREPARED, ClaimPrepared(node=NodeName("node-a"), claim=ref, error="no such device"))
    found = await asked(nats_url)
    assert ("warn", "waiting: default/too-many") in of(found, "claims")
    assert ("error", "1 claim could not be prepared: ns/broken on node-a: no such device") in of(
        found, "claims"
    )


@pytest.mark.slow
async def test_the_command_ends_with_one_for_an_error_and_zero_without(
    world: World, slicewire: Slicewire, nats_url: str
) -> None:
    well = await slicewire("doctor", "--bus")
    assert well.status == 0
    assert {one["level"] for one in well.json} <= {"ok", "warn"}
    ill = await slicewire("doctor", "--nats-url", NOBODY, "-o", "table")
    assert ill.status == 1
    assert "→ Start nats-server" in ill.out
    assert ill.out.rstrip().endswith("1 error")


@pytest.mark.slow
async def test_an_agent_that_does_not_answer_is_named(bus: NatsBus, nats_url: str) -> None:
    await bus.tell(INVENTORY, msgspec.structs.replace(pool("node-x"), answers=True))
    await bus.tell(INVENTORY, pool("node-y"))
    found = await asked(nats_url)
    assert of(found, "agents") == [("error", "1 node with an agent that does not answer: node-x")]


async def test_what_was_examined_says_who_answers(world: World, nats_url: str) -> None:
    seen = await examine(nats_url)
    assert [one.name for one in seen.services] == ["allocator"]
    state: Any = seen.streams["SLICEWIRE_STATE"]
    assert [one.name for one in state.consumers if one.durable] == ["allocator-claim"]
