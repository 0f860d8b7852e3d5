"""Who is let in to the bus at all, and what becomes of a connection whose credentials end."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slicewire.client.credentials import certificates
from slicewire.client.credentials.folder import Folder
from slicewire.client.credentials.issuing import Issuer
from slicewire.client.credentialscommand import app
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import BusUnavailable, CaughtUp
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import DriverName, NodeName, PoolName
from slicewire.common.settings import BadSettings
from tests.security.conftest import Join
from tests.security.servers import Server, credentials, running

pytestmark = pytest.mark.slow
_DAY = 24 * 3600


def pool(generation: int) -> PoolObserved:
    name = "node-a"
    return PoolObserved(
        node=NodeName(name), driver=DriverName("gpu"), pool=PoolName(name), generation=generation
    )


async def refusal(url: str, credentials: str = "", authority: str = "") -> str:
    with pytest.raises(BusUnavailable) as error:
        async with connected(
            url, name="x", credentials=credentials, authority=authority, patience_seconds=0.7
        ):
            pytest.fail("it was let in")
    return str(error.value)


def pushed(folder: Folder, server: Server) -> None:
    ended = CliRunner().invoke(app, ["push", "-d", str(folder.path), "--nats-url", server.url])
    assert ended.exit_code == 0, ended.output


def said(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """The reasons of the log's lines about one event."""
    return [record.fields["reason"] for record in caplog.records if record.message == event]  # type: ignore[attr-defined]


async def until(what: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.02)


@pytest.fixture
def own(folder: Folder, tmp_path: Path) -> Folder:
    """A folder of the test's own, that it may change."""
    shutil.copytree(folder.path, tmp_path / "own")
    return Folder(tmp_path / "own")


@pytest.fixture
async def own_server(own: Folder, tmp_path: Path) -> AsyncIterator[Server]:
    async with running(own, tmp_path / "servers") as started:
        yield started


def ca(folder: Folder) -> str:
    return str(folder.path / "clients/ca.crt")


async def test_who_shows_nothing_is_not_let_in(folder: Folder, server: Server) -> None:
    said = await refusal(server.url, authority=ca(folder))
    assert "refuses us" in said
    assert "SLICEWIRE_NATS_CREDENTIALS names no file" in said


async def test_who_does_not_know_the_authority_says_nothing(folder: Folder, server: Server) -> None:
    said = await refusal(server.url, str(folder.path / "clients/allocator.creds"))
    assert "SLICEWIRE_NATS_CA names its authority" in said


async def test_a_server_of_another_authority_is_told_nothing(
    server: Server, folder: Folder, tmp_path: Path
) -> None:
    other = credentials(tmp_path / "other", nodes=())
    said = await refusal(server.url, str(folder.path / "clients/allocator.creds"), ca(other))
    assert f"certificate is not believed by {ca(other)}" in said


async def test_who_is_of_another_bus_is_not_let_in(folder: Folder, server: Server, tmp_path: Path) -> None:
    other = credentials(tmp_path / "other", nodes=())
    said = await refusal(server.url, str(other.path / "clients/admin.creds"), ca(folder))
    assert "are revoked, or of another bus" in said


async def test_plain_text_is_not_answered(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()  # its greeting: no fact is in it
    writer.write(b'CONNECT {"verbose":true}\r\nSUB > 1\r\nPING\r\n')
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert b"PONG" not in answer
    assert b"+OK" not in answer


async def test_a_server_without_tls_is_told_nothing(folder: Folder, nats_url: str) -> None:
    said = await refusal(nats_url, str(folder.path / "clients/allocator.creds"), ca(folder))
    assert "does not speak TLS" in said


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN NATS USER JWT-----\nnot.a.token\n"])
async def test_a_file_that_is_no_credentials_file_is_a_bad_setting(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "bad.creds"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSettings, match=r"SLICEWIRE_NATS_CREDENTIALS='.*bad\.creds'"):
        async with connected("nats://127.0.0.1:1", name="x", credentials=str(file)):
            pytest.fail("it was let in")


async def test_an_authority_that_is_no_certificate_is_a_bad_setting(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("nothing")
    with pytest.raises(BadSettings, match="SLICEWIRE_NATS_CA="):
        async with connected("nats://127.0.0.1:1", name="x", authority=str(file)):
            pytest.fail("it was let in")


async def test_expired_credentials_are_refused_in_one_line(
    own: Folder, own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    Issuer(own, int(time.time()) - 2 * _DAY).rotate("allocator", 1)
    with caplog.at_level(logging.WARNING):
        why = await refusal(own_server.url, str(own.path / "clients/allocator.creds"), ca(own))
    assert "of allocator expired 20" in why
    assert len(said(caplog, "bus refuses us")) == 1, "tried again and again, and said once"


async def follow_on(bus: NatsBus, heard: list[int]) -> None:
    async for item in bus.follow(INVENTORY.under("node-a", "gpu")):
        if not isinstance(item, CaughtUp):
            assert item.fact is not None
            heard.append(item.fact.generation)


async def test_who_is_cut_off_at_the_end_of_its_time_goes_on_with_its_new_file(
    own: Folder, own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    file = str(own.path / "clients/nodes/node-a.creds")
    allocator = str(own.path / "clients/allocator.creds")
    async with connected(own_server.url, name="a", credentials=allocator, authority=ca(own)):
        Issuer(own, int(time.time()) - _DAY + 2).rotate("node-a", 1)
        async with connected(own_server.url, name="n", credentials=file, authority=ca(own)) as bus:
            heard: list[int] = []
            following = asyncio.create_task(follow_on(bus, heard))
            await bus.tell(INVENTORY, pool(1))
            await until(lambda: any("of node-a expired" in one for one in said(caplog, "bus refuses us")))
            Issuer(own).rotate("node-a", 30)
            await until(lambda: bus._client.is_connected)
            await bus.tell(INVENTORY, pool(2))
            await until(lambda: heard == [1, 2])
            assert len(said(caplog, "bus refuses us")) == 1
            following.cancel()


async def test_who_is_revoked_is_cut_off_and_its_file_that_replaces_it_is_let_in(
    own: Folder, own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    file = own.path / "clients/nodes/node-a.creds"
    allocator = str(own.path / "clients/allocator.creds")
    async with (
        connected(own_server.url, name="a", credentials=allocator, authority=ca(own)) as other,
        connected(own_server.url, name="n", credentials=str(file), authority=ca(own)) as bus,
    ):
        stolen = file.read_bytes()
        assert Issuer(own).revoke("node-a") == 1
        await asyncio.to_thread(pushed, own, own_server)
        await until(lambda: not bus._client.is_connected)
        copy = own.path / "stolen.creds"
        copy.write_bytes(stolen)
        assert "are revoked" in await refusal(own_server.url, str(copy), ca(own))
        Issuer(own).add("node", "node-a", 30)
        await until(lambda: bus._client.is_connected)
        await bus.tell(INVENTORY, pool(1))
        assert other._client.stats["reconnects"] == 0, "nobody else is disturbed"


async def test_the_authority_is_replaced_without_anybody_being_cut_off(
    own: Folder, own_server: Server
) -> None:
    allocator = str(own.path / "clients/allocator.creds")
    async with connected(own_server.url, name="a", credentials=allocator, authority=ca(own)) as bus:
        certificates.make_authority(own, 30)
        own_server.reload()
        async with connected(own_server.url, name="b", credentials=allocator, authority=ca(own)):
            assert bus._client.stats["reconnects"] == 0
        certificates.make_server(own, ["127.0.0.1"], 30)
        own_server.reload()
        async with connected(
            own_server.url, name="c", credentials=allocator, authority=ca(own), patience_seconds=5
        ):
            assert bus._client.stats["reconnects"] == 0


async def test_who_is_let_in_is_called_by_its_name(join: Join, server: Server) -> None:
    async with join("allocator") as bus:
        assert bus._client._inbox_prefix == b"_INBOX.allocator.allocator"
        assert bus._client.options["name"] == "slicewire-allocator"
