"""Whoever asks an agent whether it is there is told, and what it tells says that it can be asked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Declined
from slicewire.common.messages import ALIVE, AliveReply, AliveRequest
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.discovery.service import LOOKS_MISSED
from tests.component.discovery.world import NODE, SimulatedNode, discovering, hears

pytestmark = pytest.mark.slow
NOW_AND_THEN = 0.02


async def ask(bus: NatsBus) -> AliveReply | Declined:
    return await bus.ask(ALIVE, AliveRequest(), NODE, NVIDIA_DRIVER)


async def test_an_agent_answers_while_it_lives_and_nobody_after_it(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    async with discovering(nats_url, SimulatedNode(tmp_path)):
        pool = await hears(bus, lambda pool: True)
        assert pool.answers
        assert await ask(bus) == AliveReply(node=NODE, driver=NVIDIA_DRIVER, generation=1)
    assert await ask(bus) == Declined(503, "no discovery answers alive requests")


async def test_an_agent_whose_driver_hangs_says_so(bus: NatsBus, nats_url: str, tmp_path: Path) -> None:
    async with discovering(nats_url, SimulatedNode(tmp_path), NOW_AND_THEN) as running:
        await hears(bus, lambda pool: True)
        go_on = threading.Event()
        running.nvml.hangs(go_on)
        while isinstance(said := await ask(bus), AliveReply):
            assert said.generation == 1
        assert said.reason == f"discovery of {NODE} has not looked for 0 s"
        assert said.code == 503
        go_on.set()
        while isinstance(await ask(bus), Declined):
            pass
    assert LOOKS_MISSED * NOW_AND_THEN < 1, "or the text above says how many seconds"
