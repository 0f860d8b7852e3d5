"""A node per test, in a folder whose name is short enough for unix sockets."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.node_prep.harness import Station


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sw-") as name:
        yield Path(name)


@pytest.fixture
async def station(folder: Path, nats_url: str, bus: NatsBus) -> AsyncIterator[Station]:
    made = Station(folder, nats_url, bus)
    with closing(made.nvml):
        await made.author.tell_inventory()
        yield made
