"""The demo's world: every part a process of its own, around a small Kubernetes API."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples.demo import Demo, Story, everything


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:  # short: a socket's path ends at 107 bytes
        async with everything(Path(folder), Story()) as world:
            yield world
