"""Somebody on the bus who keeps to no rule: any subject, any body, any header."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import nats
import nats.errors
from nats.aio.client import Client

MOST_BYTES = 1024 * 1024
SECONDS = 10.0


class Answer(NamedTuple):
    """Of a NATS micro service: its code, if it declined, and its reason or body."""

    code: int
    text: str


class Stranger:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def tell(self, subject: str, body: bytes, **headers: str) -> None:
        """Into the stream, which keeps whatever it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self._client.jetstream().publish(subject, body, headers=named or None)

    async def throw(self, subject: str, body: bytes, reply: str = "") -> None:
        """At whoever listens."""
        await self._client.publish(subject, body, reply=reply)
        await self._client.flush()

    async def ask(self, subject: str, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await self._client.request(subject, body, timeout=SECONDS, headers=named or None)
        found = reply.headers or {}
        if "Nats-Service-Error-Code" in found:
            return Answer(int(found["Nats-Service-Error-Code"]), found["Nats-Service-Error"])
        return Answer(0, reply.data.decode())


@asynccontextmanager
async def stranger(url: str) -> AsyncIterator[Stranger]:
    client = await nats.connect(url)
    try:
        yield Stranger(client)
    finally:
        await client.close()
