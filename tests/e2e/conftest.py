"""The demo's world: every part a process of its own, around a small Kubernetes API."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from examples.demo import Demo, Story, everything


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        yield Path(folder)


@pytest.fixture
async def demo(short_folder: Path) -> AsyncIterator[Demo]:
    async with everything(short_folder, Story()) as world:
        yield world
