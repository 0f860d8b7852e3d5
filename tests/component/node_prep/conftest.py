"""A node per test: with everything around it, in a folder whose name is short enough for unix sockets; or
its devices and its disk alone."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.node_prep.harness import Station
from tests.component.node_prep.workbench import Workbench


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


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Workbench]:
    made = Workbench(tmp_path)
    with closing(made.nvml):
        yield made
