"""What every part relies on when it speaks to the bus, shown on a real nats-server."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats as raw_nats
import pytest

from slicewire.client.local.broker import Broker
from slicewire.common import telemetry
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import (
    ABSENT,
    BusTooOld,
    BusUnavailable,
    CaughtUp,
    Committed,
    Declined,
    Stale,
    StreamLost,
    Write,
)
from slicewire.common.messages import (
    ALLOCATE,
    CLASSES,
    INVENTORY,
    LEDGERS,
    RELEASE,
    ClaimRef,
    ClassObserved,
    LedgerWritten,
    PoolObserved,
    ReleaseReply,
    ReleaseRequest,
)
from slicewire.common.model import ClaimUID, DeviceClass, DriverName, NodeName, ObjectMeta, PoolName

pytestmark = pytest.mark.slow


def pool(node: str = "node.a", generation: int = 1) -> PoolObserved:
    return PoolObserved(
        node=NodeName(node), driver=DriverName("gpu.nvidia.com"), pool=PoolName(node), generation=generation
    )


def ledger(node: str = "n") -> LedgerWritten:
    return LedgerWritten(node=NodeName(node), driver=DriverName("d"))


async def until_caught_up(heard: AsyncIterator[Any]) -> list[Any]:
    found: list[Any] = []
    async for item in heard:
        if isinstance(item, CaughtUp):
            return found
        found.append(item)
    raise AssertionError("following ended")


async def test_following_an_empty_stream_is_caught_up_at_once(bus: NatsBus) -> None:
    assert await until_caught_up(bus.follow(INVENTORY)) == []


async def test_following_hears_the_latest_of_every_key_and_then_what_is_new(bus: NatsBus) -> None:
    await bus.tell(INVENTORY, pool("a", 1))
    await bus.tell(INVENTORY, pool("a", 2))
    last = await bus.tell(INVENTORY, pool("b", 1))
    following: AsyncIterator[Any] = bus.follow(INVENTORY)
    heard = await until_caught_up(following)
    assert [(h.key, h.fact.generation) for h in heard] == [
        (("a", "gpu.nvidia.com"), 2),
        (("b", "gpu.nvidia.com"), 1),
    ]
    assert heard[-1].sequence == last
    await bus.tell(INVENTORY, pool("a", 3))
    assert (await anext(following)).fact.generation == 3


async def test_a_follower_of_one_node_hears_nothing_of_the_others(bus: NatsBus) -> None:
    await bus.tell(INVENTORY, pool("a.example"))
    await bus.tell(INVENTORY, pool("b.example"))
    heard = await until_caught_up(bus.follow(INVENTORY.under("b.example")))
    assert [h.key[0] for h in heard] == ["b.example"]


async def test_a_forgotten_key_is_heard_as_none(bus: NatsBus) -> None:
    following: AsyncIterator[Any] = bus.follow(CLASSES)
    await until_caught_up(following)
    fact = ClassObserved(device_class=DeviceClass(metadata=ObjectMeta(name="gpu.nvidia.com")))
    await bus.tell(CLASSES, fact)
    assert (await anext(following)).fact == fact  # before it is superseded
    await bus.commit([Write(CLASSES, ("gpu.nvidia.com",), None)])
    gone = await anext(following)
    assert (gone.key, gone.fact) == (("gpu.nvidia.com",), None)


async def test_a_commit_is_all_or_none(bus: NatsBus) -> None:
    first = await bus.commit(
        [Write(LEDGERS, ("a", "d"), ledger("a"), ABSENT), Write(LEDGERS, ("b", "d"), ledger("b"), ABSENT)]
    )
    assert first == Committed(2)
    refused = await bus.commit(
        [Write(LEDGERS, ("a", "d"), ledger("a"), 1), Write(LEDGERS, ("b", "d"), ledger("b"), 1)]
    )
    assert isinstance(refused, Stale)
    heard = await until_caught_up(bus.follow(LEDGERS))
    assert [h.sequence for h in heard] == [1, 2]


async def test_a_stale_single_write_is_refused(bus: NatsBus) -> None:
    await bus.tell(LEDGERS, ledger())
    assert isinstance(await bus.commit([Write(LEDGERS, ("n", "d"), ledger(), ABSENT)]), Stale)


async def test_a_fact_is_readable_json_with_cloudevents_and_trace_headers(
    bus: NatsBus, nats_url: str
) -> None:
    with telemetry.carried({"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}):
        await bus.tell(INVENTORY, pool("a"))
    client = await raw_nats.connect(nats_url)
    message = await client.jetstream().get_last_msg(
        "SLICEWIRE_STATE", "slicewire.v1.state.inventory.a.gpu_nvidia_com"
    )
    await client.close()
    assert json.loads(message.data or b"")["node"] == "a"
    headers = message.headers or {}
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == "dev.slicewire.v1.PoolObserved"
    assert headers["ce-source"] == "/slicewire/test"
    assert headers["content-type"] == "application/json"
    assert headers["traceparent"].split("-")[1] == "1" * 32


async def test_a_malformed_message_is_counted_and_the_rest_goes_on(bus: NatsBus, nats_url: str) -> None:
    client = await raw_nats.connect(nats_url)
    stream = client.jetstream()
    for number, body in enumerate((b"{", b'{"node": 3}', b"\xff\xfe", b"[" * 100_000, b"")):
        await stream.publish(f"slicewire.v1.state.inventory.bad{number}.d", body)
    await stream.publish("slicewire.v1.state.unknown.x", b"{}")
    await client.close()
    await bus.tell(INVENTORY, pool("good"))
    heard = await until_caught_up(bus.follow(INVENTORY))
    assert [h.key[0] for h in heard] == ["good"]
    assert bus.poisoned == 5


async def test_a_taken_fact_goes_to_one_taker_and_again_if_it_is_not_ended(bus: NatsBus) -> None:
    one, other = bus.take(CLASSES, by="worker"), bus.take(CLASSES, by="worker")
    fact = ClassObserved(device_class=DeviceClass(metadata=ObjectMeta(name="c")))
    await bus.tell(CLASSES, fact)
    first = await anext(one)
    assert first.heard.fact == fact
    await first.retry(after_seconds=0)
    tasks = [asyncio.ensure_future(anext(one)), asyncio.ensure_future(anext(other))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    again = next(iter(done)).result()
    await again.ack()
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    assert again.heard.fact == fact


async def test_a_question_gets_its_answer_or_a_reason(bus: NatsBus) -> None:
    async def release(request: ReleaseRequest) -> ReleaseReply | Declined:
        if request.claim.uid == "nope":
            return Declined(404, "no claim\nnope")
        if request.claim.uid == "bug":
            raise KeyError("bug")
        return ReleaseReply(released=request.claim)

    async with bus.serve({RELEASE: release}, name="allocator"):
        ref = ClaimRef(uid=ClaimUID("u"))
        assert await bus.ask(RELEASE, ReleaseRequest(claim=ref)) == ReleaseReply(released=ref)
        assert await bus.ask(RELEASE, ReleaseRequest(claim=ClaimRef(uid=ClaimUID("nope")))) == Declined(
            404, "no claim nope"
        )
        assert await bus.ask(RELEASE, ReleaseRequest(claim=ClaimRef(uid=ClaimUID("bug")))) == Declined(
            500, "KeyError: 'bug'"
        )


async def test_a_malformed_question_is_declined_with_the_field(bus: NatsBus, nats_url: str) -> None:
    async def never(_: Any) -> Any:
        raise AssertionError("not reached")

    client = await raw_nats.connect(nats_url)
    async with bus.serve({ALLOCATE: never}, name="allocator"):
        reply = await client.request(ALLOCATE.subject(), b'{"claims": [{"metadata": 5}]}', timeout=2)
    await client.close()
    assert (reply.headers or {})["Nats-Service-Error-Code"] == "400"
    assert "$.claims[0].metadata" in (reply.headers or {})["Nats-Service-Error"]


async def test_a_question_nobody_serves_is_declined(bus: NatsBus) -> None:
    answer = await bus.ask(RELEASE, ReleaseRequest(claim=ClaimRef(uid=ClaimUID("u"))))
    assert answer == Declined(503, "no allocator answers release requests")


async def test_followers_and_takers_go_on_after_the_server_was_killed(broker: Broker, bus: NatsBus) -> None:
    following: AsyncIterator[Any] = bus.follow(INVENTORY)
    await bus.tell(INVENTORY, pool("a", 1))
    await until_caught_up(following)
    next_one = asyncio.ensure_future(anext(following))
    taking = bus.take(CLASSES, by="worker")
    taken = asyncio.ensure_future(anext(taking))
    await broker.kill()
    with pytest.raises(BusUnavailable):
        await bus.tell(INVENTORY, pool("b", 1))
    await broker.start()
    while True:
        try:
            await bus.tell(INVENTORY, pool("b", 2))
            break
        except BusUnavailable:
            await asyncio.sleep(0.01)
    await bus.tell(CLASSES, ClassObserved(device_class=DeviceClass(metadata=ObjectMeta(name="c"))))
    heard = await asyncio.wait_for(next_one, 20)
    assert heard.key[0] == "b"
    await (await asyncio.wait_for(taken, 20)).ack()


async def test_no_server_is_said_after_the_patience_is_over(broker: Broker) -> None:
    await broker.stop()
    with pytest.raises(BusUnavailable, match=f"no NATS server answers at {broker.url}"):
        async with connected(broker.url, name="test", patience_seconds=0.2):
            pass


async def test_a_server_older_than_2_12_is_refused_with_the_version(unused_tcp_port: int) -> None:
    info = json.dumps({"server_id": "OLD", "version": "2.9.10", "headers": True, "max_payload": 1048576})

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {info}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", unused_tcp_port)
    async with server:
        with pytest.raises(BusTooOld, match=r"nats-server 2\.9\.10 is too old: Slicewire needs 2\.12"):
            async with connected(f"nats://127.0.0.1:{unused_tcp_port}", name="test"):
                pass


async def test_a_follower_of_a_stream_that_was_made_anew_is_told_so(
    broker: Broker, bus: NatsBus, tmp_path: Path
) -> None:
    following: AsyncIterator[Any] = bus.follow(INVENTORY)
    await bus.tell(INVENTORY, pool("a"))
    await until_caught_up(following)
    waiting = asyncio.ensure_future(anext(following))
    await broker.kill()
    shutil.rmtree(tmp_path / "nats" / "jetstream")
    await broker.start()
    with pytest.raises(StreamLost, match="was made anew"):
        await asyncio.wait_for(waiting, 20)
    assert await until_caught_up(bus.follow(INVENTORY)) == []
