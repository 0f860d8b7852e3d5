"""Following a kind across a server that does not behave."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from slicewire.common.settings import BadSettings
from slicewire.publisher import apifaults, following, kube, watched
from tests.kubeapi import kinds
from tests.kubeapi.examples import a_node
from tests.kubeapi.faults import Expire, Match, Slow
from tests.kubeapi.server import serving
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target

pytestmark = pytest.mark.slow


async def test_watches_that_are_refused_as_too_old_do_not_become_a_storm(tmp_path: Path) -> None:
    async with serving() as api:
        api.faults.inject(Expire(), Match(verbs=("watch",)), times=10_000)
        async with kube.connected(str(api.write_kubeconfig(tmp_path / "kubeconfig")), "") as reached:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    async for _ in reached.follow(watched.NODES):
                        pass
        assert 2 <= len(api.calls) <= 24


async def test_a_list_comes_in_pages(tmp_path: Path) -> None:
    store = Store()
    for index in range(1200):
        store.create(Target(kinds.NODES), a_node(f"node-{index}"))
    async with (
        serving(store=store) as api,
        kube.connected(str(api.write_kubeconfig(tmp_path / "kubeconfig")), "") as reached,
    ):
        first = await anext(reached.follow(watched.NODES))
        assert isinstance(first, watched.Listed)
        assert len({node.metadata.name for node in first.objects}) == 1200
        assert [call.verb for call in api.calls] == ["list", "list", "list"]


@pytest.mark.parametrize("failures", [1, 5, 5000])
def test_the_pause_between_attempts_grows_to_a_limit(failures: int) -> None:
    assert 0.2 <= following.pause(apifaults.ApiUnavailable("away"), failures) <= 15.0


def test_a_wish_of_the_server_is_a_longer_pause() -> None:
    assert 30 <= following.pause(apifaults.ApiUnavailable("later", 60), 1) <= 60


async def test_credentials_that_have_expired_are_read_again(tmp_path: Path) -> None:
    async with serving() as api:
        api.known_token = "first"
        path = api.write_kubeconfig(tmp_path / "kubeconfig")
        async with kube.connected(str(path), "") as reached:
            await reached.get("/api/v1/nodes")
            api.known_token = "second"
            api.write_kubeconfig(path)
            await asyncio.gather(*(reached.get("/api/v1/nodes") for _ in range(5)))
            assert b"node-1" in await reached.create("/api/v1/nodes", a_node())


async def test_a_server_that_does_not_know_us_is_asked_again_later(tmp_path: Path) -> None:
    async with serving() as api:
        path = api.write_kubeconfig(tmp_path / "kubeconfig")
        api.known_token = "unknown"
        async with kube.connected(str(path), "") as reached:
            with pytest.raises(apifaults.ApiUnauthorized, match="401 Unauthorized") as refused:
                await reached.get("/api/v1/nodes")
        assert refused.value.after_seconds > 0


async def test_a_watch_goes_on_with_new_credentials(tmp_path: Path) -> None:
    async with serving() as api:
        api.known_token = "first"
        path = api.write_kubeconfig(tmp_path / "kubeconfig")
        async with kube.connected(str(path), "") as reached, asyncio.timeout(10):
            events = reached.follow(watched.NODES)
            assert await anext(events) == watched.Listed(())
            api.known_token = "second"
            api.write_kubeconfig(path)
            api.watches.cut()
            api.store.create(Target(kinds.NODES), a_node())
            assert isinstance(await anext(events), watched.Seen)


async def test_requests_keep_their_pace(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with serving() as api:
        path = api.write_kubeconfig(tmp_path / "kubeconfig")
        async with kube.connected(str(path), "", requests_a_second=20, burst=5) as reached:
            begun = clock()
            await asyncio.gather(*(reached.get("/api/v1/nodes") for _ in range(9)))
            assert clock() - begun >= 4 / 20


async def test_an_answer_that_takes_too_long_is_no_answer(tmp_path: Path) -> None:
    async with serving() as api:
        path = api.write_kubeconfig(tmp_path / "kubeconfig")
        api.faults.inject(Slow(5))
        async with kube.connected(str(path), "") as reached:
            held = reached.fenced(lambda: 0.1)
            with pytest.raises(apifaults.ApiUnavailable, match="POST /api/v1/nodes"):
                await held.create("/api/v1/nodes", a_node())


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nowhere"):
        async with kube.connected(str(tmp_path / "nowhere"), ""):
            pass
