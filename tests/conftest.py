"""Fixtures every tier shares: a fresh, real nats-server per test (it starts in 20 ms)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.client.local import broker as brokers
from slicewire.common.bus.nats import NatsBus, connected


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[brokers.Broker]:
    async with brokers.running(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def nats_url(broker: brokers.Broker) -> str:
    return broker.url


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[NatsBus]:
    async with connected(nats_url, name="test", patience_seconds=5) as opened:
        yield opened
