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
from tests.kubeapi.faults import Expire, Match
from tests.kubeapi.server import serving
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target


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


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nowhere"):
        async with kube.connected(str(tmp_path / "nowhere"), ""):
            pass
