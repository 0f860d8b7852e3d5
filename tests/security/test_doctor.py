"""`slicewire doctor` on a bus with TLS and users: everybody sees what it may, and a node sees itself."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from slicewire.client.credentials.folder import Folder
from slicewire.client.credentials.issuing import Issuer
from slicewire.client.doctor import look
from slicewire.client.doctorfindings import Level
from slicewire.common.messages import (
    ALIVE,
    CAPACITY,
    INVENTORY,
    AliveReply,
    AliveRequest,
    CapacityReply,
    CapacityRequest,
)
from slicewire.common.model import NodeName
from tests.component.allocator.world import DRIVER, pool
from tests.security.conftest import Join
from tests.security.servers import Server, credentials

pytestmark = pytest.mark.slow


def us(monkeypatch: pytest.MonkeyPatch, folder: Folder, who: str) -> None:
    monkeypatch.setenv("SLICEWIRE_NATS_CREDENTIALS", str(folder.path / "clients" / f"{who}.creds"))
    monkeypatch.setenv("SLICEWIRE_NATS_CA", str(folder.path / "clients" / "ca.crt"))


async def nothing(_: CapacityRequest) -> CapacityReply:
    return CapacityReply(classes=(), pools=())


async def present(_: AliveRequest) -> AliveReply:
    return AliveReply(node=NodeName("node-a"), driver=DRIVER, generation=1)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["user", "readers/grafana", "nodes/node-a"])
async def test_nobody_needs_more_rights_to_be_told_what_is_wrong(
    join: Join, folder: Folder, server: Server, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    us(monkeypatch, folder, who)
    monkeypatch.setenv("SLICEWIRE_NODE_NAME", "node-a")
    of_a_node = who.startswith("nodes/")
    async with join("allocator"):  # it makes the streams
        found = await look(server.url, with_bus=not of_a_node, with_node=of_a_node)
    about_bus = [
        one for one in found if one.about in ("bus", "SLICEWIRE_STATE", "SLICEWIRE_HISTORY", "facts")
    ]
    assert [one for one in about_bus if one.level is not Level.OK] == []
    assert of_a_node or [one.what for one in found if one.level is Level.ERROR] == ["none answers"]
    assert str(os.environ["SLICEWIRE_NATS_CREDENTIALS"]) not in str(found)


@pytest.mark.slow
@pytest.mark.parametrize(("who", "agents"), [("user", False), ("readers/grafana", True), ("admin", None)])
async def test_what_credentials_may_not_see_is_said_and_is_no_finding_about_the_fleet(
    join: Join, folder: Folder, server: Server, who: str, agents: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    us(monkeypatch, folder, who)
    async with join("allocator") as allocator, join("nodes/node-a") as node:
        told = msgspec.structs.replace(pool("node-a", gpus=1), answers=True)
        await node.tell(INVENTORY, told)
        async with (
            allocator.serve({CAPACITY: nothing}, name="allocator"),
            node.serve({ALIVE: present}, "node-a", told.driver, name="discovery"),
        ):
            found = await look(server.url, with_bus=True, with_node=False)
    assert [one for one in found if one.level is Level.ERROR] == []
    unseen = [one.what for one in found if one.about == "rights"]
    if agents is None:
        assert unseen == []
        assert ("allocators", "one answers") in [(one.about, one.what) for one in found]
    else:
        (what,) = unseen
        assert what.startswith("these credentials may not see the room on its disks, consumers, how many")
        assert ("agents" in what) is agents
        assert ("allocators", "at least one answers") in [(one.about, one.what) for one in found]


async def test_expired_credentials_are_an_error_with_what_to_do(
    folder: Folder, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder.path, tmp_path / "own")
    own = Folder(tmp_path / "own")
    Issuer(own, int(time.time()) - 2 * 24 * 3600).rotate("user", 1)
    us(monkeypatch, own, "user")
    (found,) = await look(server.url, with_bus=True, with_node=False, patience_seconds=0.5)
    assert "of user expired 20" in found.what
    assert found.do.startswith("`slicewire credentials rotate NAME` where it was made")


async def test_an_authority_of_another_bus_is_an_error_with_what_to_do(
    folder: Folder, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us(monkeypatch, folder, "user")
    other = credentials(tmp_path / "other", nodes=())
    monkeypatch.setenv("SLICEWIRE_NATS_CA", str(other.path / "clients" / "ca.crt"))
    (found,) = await look(server.url, with_bus=True, with_node=False, patience_seconds=0.5)
    assert "certificate is not believed by" in found.what
    assert found.do.startswith("Let SLICEWIRE_NATS_CA name the ca.crt of this bus")


async def test_a_server_that_is_not_believed_is_an_error_with_the_reason(
    folder: Folder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICEWIRE_NATS_CREDENTIALS", str(folder.path / "clients" / "user.creds"))
    monkeypatch.delenv("SLICEWIRE_NATS_CA", raising=False)
    found = await look(server.url, with_bus=True, with_node=False, patience_seconds=0.5)
    assert [one.level for one in found] == [Level.ERROR]
    assert "certificate is not believed" in found[0].what
    assert found[0].do == "Let SLICEWIRE_NATS_CA name the ca.crt that came with your credentials."
