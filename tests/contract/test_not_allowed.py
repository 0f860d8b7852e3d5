"""What the server does not let us say is a refusal at once, no silence and no end of a connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import BusUnavailable, NotAllowed
from slicewire.common.messages import ALIVE, AliveRequest
from tests.component.client.test_doctor import server

MAY = '{publish: {deny: "slicewire.v1.request.>"}}'
USER = f"authorization {{ users: [{{user: ann, password: s, permissions: {MAY}}}] }}"


async def test_a_question_that_may_not_be_asked_is_refused_at_once_whatever_its_name(tmp_path: Path) -> None:
    store = f'jetstream {{ store_dir: "{tmp_path}/js" }}'
    async with (
        server(tmp_path / "narrow", store, USER) as plain,
        connected(plain.replace("//", "//ann:s@"), name="x", patience_seconds=5) as bus,
    ):
        for node in ("node-a", "Author-of-auth"):
            with pytest.raises(NotAllowed, match=f"alive.{node}"):
                async with asyncio.timeout(2):
                    await bus.ask(ALIVE, AliveRequest(), node, "gpu")
        assert bus._client.is_connected
        assert bus._client.stats["reconnects"] == 0
    assert issubclass(NotAllowed, BusUnavailable), "whoever waits out an outage waits for the right, too"
