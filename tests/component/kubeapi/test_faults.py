"""Faults strike exactly the requests they were meant for, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.kubeapi.cluster import RESOURCES
from tests.kubeapi.examples import a_claim, a_slice
from tests.kubeapi.faults import WRITES, Call, CutWatch, Drop, Expire, LoseAnswer, Match, Refuse, Slow
from tests.kubeapi.kinds import SLICES
from tests.kubeapi.server import KubeApi, serving
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target

PATH = f"{RESOURCES}/resourceslices"
CLAIMS = f"{RESOURCES}/namespaces/default/resourceclaims"


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    async with serving() as started:
        yield started


@pytest.fixture
async def session(api: KubeApi) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(api.url) as opened:
        yield opened


async def status_of(session: aiohttp.ClientSession, path: str = PATH) -> int:
    async with session.get(path) as response:
        return response.status


async def test_a_refusal_is_a_status_and_says_how_long_to_wait(
    api: KubeApi, session: aiohttp.ClientSession
) -> None:
    api.faults.inject(Refuse(429, retry_after_seconds=7))
    async with session.get(PATH) as response:
        body = await response.json()
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert (body["kind"], body["reason"]) == ("Status", "TooManyRequests")
    assert body["details"]["retryAfterSeconds"] == 7
    assert await status_of(session) == 200


async def test_a_fault_strikes_as_often_as_it_was_asked_to(
    api: KubeApi, session: aiohttp.ClientSession
) -> None:
    api.faults.inject(Refuse(503), Match(resource="resourceslices"), times=2)
    assert await status_of(session, CLAIMS) == 200
    assert [await status_of(session) for _ in range(3)] == [503, 503, 200]


async def test_a_fault_of_writes_leaves_reads_alone(api: KubeApi, session: aiohttp.ClientSession) -> None:
    api.faults.inject(Refuse(500), WRITES)
    assert await status_of(session) == 200
    async with session.post(PATH, json=a_slice()) as response:
        assert response.status == 500
    assert api.store.all(SLICES) == ()


async def test_a_dropped_request_is_not_done_and_a_lost_answer_is(
    api: KubeApi, session: aiohttp.ClientSession
) -> None:
    for fault, done in ((Drop(), False), (LoseAnswer(), True)):
        api.faults.inject(fault)
        with pytest.raises(aiohttp.ClientError):
            await session.post(PATH, json=a_slice())
        assert (api.store.find(Target(SLICES, name="slice-1")) is not None) is done


async def test_a_slow_answer_comes_after_the_others(api: KubeApi, session: aiohttp.ClientSession) -> None:
    api.faults.inject(Slow(0.05), Match(resource="resourceslices"))
    order = []

    async def ask(path: str) -> None:
        assert await status_of(session, path) == 200
        order.append(path)

    await asyncio.gather(ask(PATH), ask(CLAIMS))
    assert order == [CLAIMS, PATH]


async def test_a_watch_is_cut_after_so_many_events(api: KubeApi, session: aiohttp.ClientSession) -> None:
    for name in ("a", "b"):
        api.store.create(Target(SLICES), a_slice(name))
    api.faults.inject(CutWatch(after_events=1))
    async with session.get(PATH, params={"watch": "true"}) as response:
        assert b'"a"' in await response.content.readline()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.readline()


async def test_open_watches_are_cut_on_request(api: KubeApi, session: aiohttp.ClientSession) -> None:
    api.store.create(Target(SLICES), a_slice())
    async with session.get(PATH, params={"watch": "true"}) as response:
        await response.content.readline()
        assert len(api.watches) == 1
        api.watches.cut()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.readline()


async def test_a_watch_may_be_told_that_it_is_too_old(api: KubeApi, session: aiohttp.ClientSession) -> None:
    api.store.create(Target(SLICES), a_slice())
    api.faults.inject(Expire(), Match(verbs=("watch",)))
    async with session.get(PATH, params={"watch": "true", "resourceVersion": "1"}) as response:
        lines = [await response.content.readline(), await response.content.readline()]
        assert b'"ADDED"' in lines[0]
        assert b'"code":410' in lines[1]
        assert await response.content.readline() == b""


async def test_what_was_asked_is_remembered(api: KubeApi, session: aiohttp.ClientSession) -> None:
    async with session.post(CLAIMS, json=a_claim("c")) as response:
        assert response.status == 201
    await status_of(session, f"{CLAIMS}/c")
    assert list(api.calls) == [
        Call("create", "resourceclaims", "default"),
        Call("get", "resourceclaims", "default", "c"),
    ]


async def test_a_cluster_comes_back_after_an_outage_as_it_was() -> None:
    store = Store()
    async with (
        serving(store=store) as before,
        aiohttp.ClientSession(before.url) as session,
        session.post(PATH, json=a_slice()) as response,
    ):
        assert response.status == 201
    port = int(before.url.rpartition(":")[2])
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{before.url}{PATH}")
        async with serving(port, store=store) as after:
            assert after.url == before.url
            assert await status_of(session, f"{after.url}{PATH}/slice-1") == 200
