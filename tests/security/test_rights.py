"""What each identity may do and may not, on a real nats-server with what `slicewire credentials` made."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from slicewire.common.bus import rights
from slicewire.common.bus.link import ApiFault, Message
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable, CaughtUp, Committed, Declined, Write
from slicewire.common.messages import (
    ALIVE,
    ANSWERS,
    CAPACITY,
    CATALOGUE,
    CLAIMS,
    CLASSES,
    HISTORY_STREAM,
    INVENTORY,
    LEDGERS,
    PREPARED,
    RELEASE,
    STATE_STREAM,
    AliveReply,
    AliveRequest,
    CapacityReply,
    CapacityRequest,
    ClaimRef,
    ClassObserved,
    LedgerWritten,
    PoolObserved,
    ReleaseReply,
    ReleaseRequest,
)
from slicewire.common.model import ClaimUID, DeviceClass, DriverName, NodeName, ObjectMeta, PoolName, wire
from tests.security.conftest import Join

pytestmark = pytest.mark.slow
GPU = DriverName("gpu.nvidia.com")
STATE = "slicewire.v1.state"
OURS, ANOTHERS = f"{STATE}.inventory.node-a.gpu_nvidia_com", f"{STATE}.inventory.node_b.gpu_nvidia_com"


def pool(node: str, generation: int = 1) -> PoolObserved:
    return PoolObserved(node=NodeName(node), driver=GPU, pool=PoolName(node), generation=generation)


def ledger(node: str) -> LedgerWritten:
    return LedgerWritten(node=NodeName(node), driver=GPU)


async def until_caught_up(heard: AsyncIterator[Any]) -> list[Any]:
    found: list[Any] = []
    async for item in heard:
        if isinstance(item, CaughtUp):
            return found
        found.append(item)
    raise AssertionError("following ended")


async def is_refused(bus: NatsBus, subject: str, body: bytes = b"{}", reply: str = "") -> None:
    """The server says no, and says so at once."""
    client = bus._client
    said: list[str] = []
    heard = asyncio.Event()

    async def hear(error: Exception) -> None:
        said.append(str(error).lower())
        heard.set()

    before, client._error_cb = client._error_cb, hear
    try:
        await client.publish(subject, body, reply=reply)
        await client.flush()
        await asyncio.wait_for(heard.wait(), 5)
    finally:
        client._error_cb = before
    assert "permissions violation for publish" in said[0]


async def latest(admin: NatsBus, subject: str) -> bytes:
    found = await admin.link.api(f"STREAM.MSG.GET.{STATE_STREAM}", {"last_by_subj": subject})
    return base64.b64decode(found["message"]["data"])


@pytest.fixture
async def admin(join: Join) -> AsyncIterator[NatsBus]:
    async with join("allocator"), join("admin") as bus:  # the allocator makes the streams
        yield bus


@pytest.fixture
async def node(join: Join, admin: NatsBus) -> AsyncIterator[NatsBus]:
    async with join("nodes/node-a") as bus:
        yield bus


async def test_a_node_tells_and_hears_what_is_its_own(join: Join, node: NatsBus) -> None:
    await node.tell(INVENTORY, pool("node-a"))
    async with join("allocator") as allocator:
        await allocator.tell(LEDGERS, ledger("node-a"))
        await allocator.tell(LEDGERS, ledger("node.b"))
    channels = (INVENTORY.under("node-a", GPU), LEDGERS.under("node-a", GPU), PREPARED.under("node-a"))
    heard = await until_caught_up(node.follow(*channels))
    assert [(one.channel.kind, one.key) for one in heard] == [
        ("inventory", ("node-a", GPU)),
        ("ledger", ("node-a", GPU)),
    ]


@pytest.mark.parametrize(
    "subject",
    [
        ANOTHERS,
        f"{STATE}.ledger.node-a.gpu_nvidia_com",
        f"{STATE}.answer.some-claim",
        f"{STATE}.claim.some-claim",
        f"{STATE}.prepared.node_b.some-claim",
        f"{STATE}.node.node-a",
        f"$JS.API.STREAM.UPDATE.{STATE_STREAM}",
        f"$JS.API.STREAM.CREATE.{STATE_STREAM}",
        f"$JS.API.STREAM.PURGE.{STATE_STREAM}",
        f"$JS.API.STREAM.DELETE.{STATE_STREAM}",
        f"$JS.API.STREAM.MSG.DELETE.{STATE_STREAM}",
        f"slicewire.js.API.STREAM.PURGE.{STATE_STREAM}",
        f"slicewire.js.API.DIRECT.GET.{STATE_STREAM}",
        f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.mine",
        f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.mine.{STATE}.inventory.node_b.>",
        f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.mine.{STATE}.>",
        f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.allocator-claim.{STATE}.*.node-a.>",
        f"slicewire.js.API.CONSUMER.CREATE.{HISTORY_STREAM}.mine.{STATE}.*.node-a.>",
        f"slicewire.js.API.CONSUMER.DELETE.{STATE_STREAM}.allocator-claim",
        "slicewire.v1.request.release",
        "slicewire.v1.request.prepare.node_b",
    ],
)
async def test_a_node_may_not_say(node: NatsBus, subject: str) -> None:
    await is_refused(node, subject)


async def test_a_filter_that_says_otherwise_than_its_subject_is_refused(node: NatsBus) -> None:
    call = f"CONSUMER.CREATE.{STATE_STREAM}.mine.{STATE}.*.node-a.>"
    wanted = {"name": "mine", "filter_subject": f"{STATE}.>", "deliver_subject": "_INBOX.node.node-a.x"}
    with pytest.raises(ApiFault):
        await node.link.api(call, {"stream_name": STATE_STREAM, "config": wanted})
    several = {"name": "mine", "filter_subjects": [f"{STATE}.>"], "deliver_subject": "_INBOX.node.node-a.x"}
    with pytest.raises(ApiFault):
        await node.link.api(call, {"stream_name": STATE_STREAM, "config": several})


async def test_a_node_hears_no_question_and_no_answer_of_another(node: NatsBus) -> None:
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def hear(error: Exception) -> None:
        refused.put_nowait(str(error))

    node._client._error_cb = hear
    for subject in ("_INBOX.>", "_INBOX.allocator.>", "slicewire.v1.>", "slicewire.v1.request.prepare.*"):
        await node._client.subscribe(subject)
        async with asyncio.timeout(10):
            assert subject.lower() in (await refused.get()).lower()


async def test_no_answer_of_the_server_overwrites_what_is_anothers(
    join: Join, admin: NatsBus, node: NatsBus
) -> None:
    """The server answers to whatever subject is named: in one account that would be a way to write."""
    async with join("allocator") as allocator, join("nodes/node.b") as other:
        await allocator.tell(LEDGERS, ledger("node.b"))
        await other.tell(INVENTORY, pool("node.b"))
    targets = (f"{STATE}.ledger.node_b.gpu_nvidia_com", ANOTHERS)
    before = [await latest(admin, target) for target in targets]
    for target in targets:
        await node._client.publish(OURS, b'{"evil":true}', reply=target)
        with suppress(ApiFault, BusUnavailable):
            wanted = {"name": "mine", "filter_subject": f"{STATE}.*.node-a.>", "deliver_subject": target}
            call = f"CONSUMER.CREATE.{STATE_STREAM}.mine.{STATE}.*.node-a.>"
            await node.link.api(call, {"stream_name": STATE_STREAM, "config": wanted})
    async with join("readers/grafana") as reader:
        for target in targets:
            get = f"{rights.OUTSIDE_API}.DIRECT.GET.{STATE_STREAM}.{OURS}"
            await reader._client.publish(get, b"", reply=target)
        await reader._client.flush()
    await node.tell(INVENTORY, pool("node-a"))  # everything before it has been worked off
    assert [await latest(admin, target) for target in targets] == before


async def test_no_consumer_asks_in_anothers_name_and_none_calls_the_api(
    join: Join, admin: NatsBus, node: NatsBus
) -> None:
    """A consumer delivers to whatever subject it is told to: a fact could be made a question."""
    asked: list[ReleaseRequest] = []

    async def release(request: ReleaseRequest) -> ReleaseReply:
        asked.append(request)
        return ReleaseReply(released=request.claim)

    body = wire.encode(ReleaseRequest(claim=ClaimRef(uid=ClaimUID("forged"))))
    async with join("allocator") as allocator, allocator.serve({RELEASE: release}, name="allocator"):
        await node._client.publish(OURS, body)
        for number, target in enumerate((RELEASE.subject(), f"$JS.API.STREAM.PURGE.{STATE_STREAM}")):
            where = {"deliver_subject": target, "deliver_group": "q"}  # micro services share their work as q
            wanted = {"name": f"c{number}", "filter_subject": OURS, **where}
            with suppress(ApiFault):
                await node.link.api(
                    f"CONSUMER.CREATE.{STATE_STREAM}.c{number}.{OURS}",
                    {"stream_name": STATE_STREAM, "config": wanted},
                )
        async with join("user") as user:
            mine = ReleaseRequest(claim=ClaimRef(uid=ClaimUID("mine")))
            await user.ask(RELEASE, mine)
            await user.ask(RELEASE, mine)
    assert asked == [mine, mine]
    assert await latest(admin, OURS) == body


async def test_a_reader_hears_and_asks_and_tells_nothing(join: Join, admin: NatsBus, node: NatsBus) -> None:
    async def capacity(_: Any) -> CapacityReply:
        return CapacityReply(classes=(), pools=())

    await node.tell(INVENTORY, pool("node-a"))
    async with (
        join("allocator") as allocator,
        allocator.serve({CAPACITY: capacity}, name="allocator"),
        join("readers/grafana") as reader,
    ):
        heard = await until_caught_up(reader.follow(*CATALOGUE))
        assert [one.key for one in heard] == [("node-a", GPU)]
        assert not isinstance(await reader.as_of(None, INVENTORY), Declined)
        assert not isinstance(await reader.ask(CAPACITY, CapacityRequest()), Declined)
        for channel in CATALOGUE:
            await is_refused(reader, channel.subject(*("x" for _ in channel.key_names)))
        await is_refused(reader, RELEASE.subject())
        await is_refused(reader, f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.allocator-claim.{STATE}.>")
        await is_refused(reader, f"slicewire.js.API.CONSUMER.CREATE.{STATE_STREAM}.allocator-claim")
        for call in ("MSG.NEXT", "INFO", "DELETE"):
            await is_refused(reader, f"slicewire.js.API.CONSUMER.{call}.{STATE_STREAM}.allocator-claim")
        await is_refused(reader, f"$JS.API.STREAM.PURGE.{STATE_STREAM}")


async def test_a_reader_may_pull_as_other_programs_do(join: Join, admin: NatsBus, node: NatsBus) -> None:
    for driver in ("gpu", "nic"):
        await node.tell(INVENTORY, msgspec.structs.replace(pool("node-a"), driver=DriverName(driver)))
    async with join("readers/grafana") as reader, reader.link.listen() as (to, inbox):
        wanted = {"name": "mine", "ack_policy": "none", "deliver_policy": "all"}
        call = f"CONSUMER.CREATE.{HISTORY_STREAM}.mine"
        await reader.link.api(call, {"stream_name": HISTORY_STREAM, "config": wanted})
        await reader.link.send(f"$JS.API.CONSUMER.MSG.NEXT.{HISTORY_STREAM}.mine", b'{"batch":2}', to)
        said = [await asyncio.wait_for(inbox.get(), 5) for _ in range(2)]
        assert [one.sequence for one in said if isinstance(one, Message)] == [1, 2]
        await reader.link.api(f"CONSUMER.DELETE.{HISTORY_STREAM}.mine", {})


async def test_an_allocator_commits_a_batch_and_forgets_a_key_and_shares_work(
    join: Join, admin: NatsBus
) -> None:
    async with join("allocator") as allocator, join("publisher") as publisher:
        done = await allocator.commit([Write(LEDGERS, (node, GPU), ledger(node)) for node in ("a", "b")])
        assert isinstance(done, Committed)
        assert isinstance(await allocator.commit([Write(ANSWERS, ("claim-1",), None)]), Committed)
        await publisher.commit([Write(CLAIMS, ("claim-2",), None)])
        async for delivery in allocator.take(CLAIMS, by="allocator"):
            await delivery.ack()
            break
        await is_refused(allocator, OURS)
        await is_refused(publisher, f"{STATE}.ledger.a.gpu_nvidia_com")
        await is_refused(publisher, f"$JS.API.CONSUMER.CREATE.{STATE_STREAM}.allocator-claim.{STATE}.claim.>")
        await is_refused(publisher, f"$JS.ACK.{STATE_STREAM}.allocator-claim.1.1.1.1.0")


async def test_who_calls_the_roll_hears_a_node_answer(join: Join, admin: NatsBus, node: NatsBus) -> None:
    async def alive(_: AliveRequest) -> AliveReply:
        return AliveReply(node=NodeName("node-a"), driver=GPU, generation=1)

    async with node.serve({ALIVE: alive}, "node-a", GPU, name="discovery"), join("publisher") as publisher:
        assert isinstance(await publisher.ask(ALIVE, AliveRequest(), "node-a", GPU), AliveReply)


async def test_an_admin_is_told_who_is_there_and_who_it_is(join: Join, admin: NatsBus, node: NatsBus) -> None:
    async def alive(_: AliveRequest) -> AliveReply:
        raise AssertionError("nobody asks")

    async with (
        node.serve({ALIVE: alive}, "node-a", GPU, name="discovery"),
        admin.link.listen() as (to, inbox),
    ):
        await admin.link.send("$SRV.PING", b"", to)
        said = await asyncio.wait_for(inbox.get(), 5)
        assert isinstance(said, Message)
        assert wire.decode(said.data, dict[str, Any])["name"] == "slicewire-discovery"
    assert (await admin._client.asked("$SYS.REQ.USER.INFO", b"")).data


async def test_a_user_may_tell_a_class_and_no_claim(join: Join, admin: NatsBus) -> None:
    async with join("user") as user:
        kind = DeviceClass(metadata=ObjectMeta(name="gpu"))
        await user.tell(CLASSES, ClassObserved(device_class=kind))
        asked = ReleaseRequest(claim=ClaimRef(uid=ClaimUID("no-such")))
        assert await user.ask(RELEASE, asked) == Declined(503, "no allocator answers release requests")
        await is_refused(user, f"{STATE}.claim.no-such")
