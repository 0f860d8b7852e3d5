"""The `slicewire` command where the bus refuses something: one line, its reason, and what to do next."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from slicewire.client.credentials.folder import Folder
from slicewire.client.credentials.issuing import Issuer
from slicewire.common.messages import INVENTORY
from tests.component.allocator.world import pool
from tests.component.client.command import Slicewire
from tests.security.conftest import Join
from tests.security.servers import Server, credentials

pytestmark = pytest.mark.slow
_DAY = 24 * 3600


def command(
    server: Server, folder: Folder, who: str, place: Path, authority: Path | None = None
) -> Slicewire:
    return Slicewire(
        server.url,
        place,
        SLICEWIRE_NATS_CREDENTIALS=str(folder.path / "clients" / f"{who}.creds"),
        SLICEWIRE_NATS_CA=str(authority or folder.path / "clients" / "ca.crt"),
    )


@pytest.fixture
def own(folder: Folder, tmp_path: Path) -> Folder:
    """A copy that the test may change; the server believes what is made in it."""
    shutil.copytree(folder.path, tmp_path / "own")
    return Folder(tmp_path / "own")


async def test_what_a_role_may_not_ask_is_said_at_once_with_the_subject_and_the_next_step(
    join: Join, server: Server, folder: Folder, tmp_path: Path
) -> None:
    async with join("allocator"):  # it makes the streams
        began = time.monotonic()
        ended = await command(server, folder, "readers/grafana", tmp_path)("release", "train")
    assert time.monotonic() - began < 4.5, "it does not wait for an answer that cannot come"
    (line,) = ended.err.splitlines()
    assert line.startswith(
        'bus does not allow it: permissions violation for publish to "slicewire.v1.request.release" →'
    )
    assert "SLICEWIRE_NATS_CREDENTIALS" in line
    assert ended.status == 1
    assert ended.out == ""


async def test_a_reader_sees_the_inventory_and_is_told_that_agents_were_not_asked(
    join: Join, server: Server, folder: Folder, tmp_path: Path
) -> None:
    async with join("allocator"), join("nodes/node-a") as node, join("nodes/node.b") as other:
        for bus, name in ((node, "node-a"), (other, "node.b")):
            await bus.tell(INVENTORY, msgspec.structs.replace(pool(name, gpus=1), answers=True))
        ended = await command(server, folder, "readers/grafana", tmp_path)("inventory")
    assert ended.status == 0
    assert [row["node"] for row in ended.json] == ["node-a", "node.b"]
    assert "silent" not in ended.out
    (line,) = ended.err.splitlines()
    assert "slicewire.v1.request.alive.node-a" in line


async def test_credentials_that_have_ended_are_said_once_with_what_to_do(
    own: Folder, server: Server, tmp_path: Path
) -> None:
    Issuer(own, int(time.time()) - 2 * _DAY).rotate("user", 1)
    ended = await command(server, own, "user", tmp_path)("claims")
    (line,) = ended.err.splitlines()
    assert line.startswith("bus refuses us: the credentials ")
    assert "of user expired 20" in line
    assert "→ `slicewire credentials rotate NAME`" in line
    assert ended.status == 1


async def test_credentials_that_will_end_are_said_and_the_command_does_its_work(
    join: Join, own: Folder, server: Server, tmp_path: Path
) -> None:
    Issuer(own).rotate("user", 1)
    async with join("allocator"):
        ended = await command(server, own, "user", tmp_path)("claims")
    (line,) = ended.err.splitlines()
    assert line.startswith("bus will refuse us soon: ")
    assert "→ `slicewire credentials rotate NAME`" in line
    assert (ended.status, ended.json) == (0, [])


async def test_an_authority_of_another_bus_is_said_with_what_to_do(
    folder: Folder, server: Server, tmp_path: Path
) -> None:
    other = credentials(tmp_path / "other", nodes=()).path / "clients" / "ca.crt"
    ended = await command(server, folder, "user", tmp_path, other)("claims")
    (line,) = ended.err.splitlines()
    assert f"certificate is not believed by {other}" in line
    assert "→ let SLICEWIRE_NATS_CA name the ca.crt of this bus" in line
    assert ended.status == 1


async def test_what_may_not_be_followed_is_said_once_however_often_it_is_tried(
    join: Join, server: Server, folder: Folder, tmp_path: Path
) -> None:
    async with join("allocator"):
        process = await command(server, folder, "nodes/node-a", tmp_path).start("claims")
        assert process.stderr is not None
        first = (await process.stderr.readline()).decode()
        with pytest.raises(TimeoutError):  # it is tried again after five seconds
            async with asyncio.timeout(7):
                await process.stderr.readline()
        process.terminate()
        await process.communicate()
    assert "consumer.create.slicewire_state.*" in first
