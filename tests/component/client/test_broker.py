"""The nats-server that `slicewire up` runs: found, started, restarted in its place, never left behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from slicewire.client.local import broker as brokers
from slicewire.client.local.broker import Broker, NoBroker, find_binary
from slicewire.common.bus.nats import connected
from slicewire.common.messages import NODES, NodeObserved
from slicewire.common.model import NodeName
from tests.component.allocator.world import World, until


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_broker_that_is_started_again_has_its_port_and_what_it_was_told(
    tmp_path: Path, how: str
) -> None:
    told = NodeObserved(name=NodeName("node-a"), uid="u")
    async with brokers.running(tmp_path) as broker:
        url, first = broker.url, broker.pid
        async with connected(url, name="test", patience_seconds=5) as bus:
            await bus.tell(NODES, told)
        await getattr(broker, how)()
        assert not lives(first)
        await broker.start()
        assert (broker.url, broker.pid == first) == (url, False)
        async with connected(url, name="test", patience_seconds=5) as bus:
            assert await World(bus).now(NODES) == {("node-a",): told}


async def test_the_broker_ends_with_its_context(tmp_path: Path) -> None:
    async with brokers.running(tmp_path) as broker:
        pid = broker.pid
        assert lives(pid)
        assert broker.url.startswith("nats://127.0.0.1:")
    assert not lives(pid)
    await broker.stop()


async def test_two_brokers_have_two_ports(tmp_path: Path) -> None:
    async with brokers.running(tmp_path / "a") as one, brokers.running(tmp_path / "b") as other:
        assert one.url != other.url


async def test_a_server_that_exits_is_said_with_the_place_of_its_log(tmp_path: Path) -> None:
    broken = program(tmp_path / "nats-server", "echo no room >&2; exit 1")
    with pytest.raises(NoBroker, match="nats-server exited; see") as caught:
        await Broker(tmp_path, binary=broken).start()
    log = Path(str(caught.value).rpartition(" ")[2])
    assert log.read_text() == "no room\n"


async def test_a_port_in_use_is_a_server_that_exits(tmp_path: Path) -> None:
    async with brokers.running(tmp_path / "a") as one:
        port = int(one.url.rpartition(":")[2])
        with pytest.raises(NoBroker, match="exited"):
            await Broker(tmp_path / "b", port).start()


async def test_a_server_that_never_comes_up_is_not_left_behind(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    silent = program(
        tmp_path / "nats-server", f"echo $$ > {told}.new && mv {told}.new {told}; exec sleep 600"
    )
    starting = asyncio.create_task(Broker(tmp_path, binary=silent).start())

    async def written() -> bool:
        return told.exists()

    await until(written, bool)
    pid = int(told.read_text())
    assert lives(pid)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not lives(pid)


def test_the_server_is_the_one_beside_this_python() -> None:
    assert os.access(find_binary(), os.X_OK)
