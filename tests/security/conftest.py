"""A secured bus, and whoever is let in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from slicewire.client.credentials.folder import Folder
from slicewire.common.bus.nats import NatsBus, connected
from tests.security.servers import Server, credentials, running

Join = Callable[..., AbstractAsyncContextManager[NatsBus]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Made once: nobody but the tests of making changes it."""
    return credentials(tmp_path_factory.mktemp("bus"))


@pytest.fixture
async def server(folder: Folder, tmp_path: Path) -> AsyncIterator[Server]:
    async with running(folder, tmp_path) as started:
        yield started


@pytest.fixture
def join(folder: Folder, server: Server) -> Join:
    def joining(who: str, patience_seconds: float = 5) -> AbstractAsyncContextManager[NatsBus]:
        return connected(
            server.url,
            name=who.replace("/", "-"),
            credentials=str(folder.path / "clients" / f"{who}.creds"),
            authority=str(folder.path / "clients" / "ca.crt"),
            patience_seconds=patience_seconds,
        )

    return joining
