"""Real parts as processes, each with its own credentials file on a secured bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from slicewire.client.credentials.folder import Folder
from slicewire.client.local.processes import Child, Command


def file_of(command: Command) -> str:
    """Whose credentials a process has: those of its part, or of its node."""
    part, _, node = command.name.partition("@")
    return f"clients/nodes/{node}.creds" if node else f"clients/{part.rpartition('-')[0] or part}.creds"


def secured(command: Command, folder: Folder, replicas: int = 1) -> Command:
    own = {
        **command.environ,
        "SLICEWIRE_NATS_CREDENTIALS": str(folder.path / file_of(command)),
        "SLICEWIRE_NATS_CA": str(folder.path / "clients/ca.crt"),
        "SLICEWIRE_NATS_REPLICAS": str(replicas),
    }
    return msgspec.structs.replace(command, environ=own)


@asynccontextmanager
async def kept(commands: Sequence[Command]) -> AsyncIterator[dict[str, Child]]:
    """Running, and started again when they end, for as long as the context is open."""
    for command in commands:
        command.log.parent.mkdir(parents=True, exist_ok=True)
    children = {command.name: Child(command, lambda _: None) for command in commands}
    tasks = [asyncio.create_task(child.keep()) for child in children.values()]
    try:
        yield children
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in children.values()))
