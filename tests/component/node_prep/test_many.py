"""Many nodes in one process: a node's node-prep begins when it is asked for, and answers for it alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Declined
from slicewire.common.messages import (
    PREPARE,
    UNPREPARE,
    ClaimPrepared,
    ClaimRef,
    Endpoint,
    PrepareReply,
    PrepareRequest,
    UnprepareReply,
)
from slicewire.common.model import ClaimUID, NodeName
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.settings import BadSettings
from slicewire.node_prep import many
from slicewire.node_prep.settings import Settings

pytestmark = pytest.mark.slow

QUESTION = PrepareRequest(claim=ClaimRef(uid=ClaimUID("claim-1")))
NODES = "node-0001,node-0002.example,node-0003"


class Preps:
    """Stands for the node-prep of each node, and notes which were begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def build(self, settings: Settings, _: NvmlControl) -> Callable[[many.Connect], Awaitable[None]]:
        node = NodeName(settings.node_name)
        self.begun.append(node)

        async def prepare(request: PrepareRequest) -> PrepareReply:
            return PrepareReply(prepared=ClaimPrepared(node=node, claim=request.claim))

        async def unprepare(request: PrepareRequest) -> UnprepareReply:
            return UnprepareReply(claim=request.claim, error=f"not on {node}")

        async def run(connect: many.Connect) -> None:
            handlers: dict[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]] = {
                PREPARE: prepare,
                UNPREPARE: unprepare,
            }
            async with connect() as bus, bus.serve(handlers, node, name="node-prep"):
                await asyncio.Event().wait()

        return run


def settings(folder: Path, **more: object) -> Settings:
    plain = Settings(nodes=NODES, nvml_room="simulated", nvml_state=str(folder), nvml_gpus=1, kubelet=False)
    return msgspec.structs.replace(plain, **more)


@asynccontextmanager
async def serving(nats_url: str, folder: Path, preps: Preps) -> AsyncIterator[None]:
    fleet = many.Fleet(settings(folder), preps.build)
    connect = partial(connected, nats_url, name="node-prep", patience_seconds=5)
    running = asyncio.create_task(fleet.run(connect))
    try:
        async with asyncio.timeout(10):
            while not fleet.is_ready():
                assert not running.done()
                await asyncio.sleep(0.01)
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_node_begins_with_its_first_question_and_answers_for_itself(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    preps = Preps()
    async with serving(nats_url, tmp_path, preps):
        assert preps.begun == []
        for _ in range(2):
            prepared = await bus.ask(PREPARE, QUESTION, "node-0002.example")
            assert isinstance(prepared, PrepareReply)
            assert prepared.prepared.node == "node-0002.example"
        answered = await bus.ask(UNPREPARE, QUESTION, "node-0003")
        assert answered == UnprepareReply(claim=QUESTION.claim, error="not on node-0003")
        assert preps.begun == ["node-0002.example", "node-0003"]


async def test_questions_that_come_at_once_begin_a_node_once(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    preps = Preps()
    async with serving(nats_url, tmp_path, preps):
        answers = await asyncio.gather(*(bus.ask(PREPARE, QUESTION, "node-0001") for _ in range(8)))
        assert all(isinstance(answer, PrepareReply) for answer in answers)
        assert preps.begun == ["node-0001"]


async def test_a_node_that_is_not_served_here_is_declined(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    preps = Preps()
    async with serving(nats_url, tmp_path, preps):
        declined = await bus.ask(PREPARE, QUESTION, "node-0009")
        assert declined == Declined(503, "no node-prep of node node-0009 answers prepare requests")
        assert preps.begun == []


async def test_a_node_that_had_prepared_something_begins_at_the_start(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    checkpoint = Path(many.of_node(settings(tmp_path), "node-0003").plugin_dir) / "checkpoint.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    preps = Preps()
    async with serving(nats_url, tmp_path, preps):
        await bus.ask(PREPARE, QUESTION, "node-0003")
        assert preps.begun == ["node-0003"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nodes": "a,"}, "SLICEWIRE_NODE_PREP_NODES='a,'"),
        ({"kubelet": True}, "SLICEWIRE_NODE_PREP_KUBELET=true is of one node"),
        ({"nvml_room": "auto"}, "for simulated nodes"),
    ],
)
def test_what_cannot_be_said_of_many_nodes_is_refused(
    changed: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSettings, match=said):
        many.names(settings(tmp_path, **changed))


def test_the_files_of_each_node_lie_in_its_own_folder(tmp_path: Path) -> None:
    own = many.of_node(settings(tmp_path), "node-0001")
    for path in (own.plugin_dir, own.registry_dir, own.cdi_root, own.nvml_state):
        assert Path(path).is_relative_to(tmp_path / "node-0001")
