"""Following a kind that not every cluster serves, in the newest version that this one does.

Where none is served there are no such objects: that is an answer, and no fault. It is asked again now
and then, since a cluster may be upgraded, or its gates switched, while we run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from slicewire.common.logs import Log
from slicewire.common.model.struct import Object
from slicewire.publisher.dialects import AGAIN_SECONDS
from slicewire.publisher.kube import Kube
from slicewire.publisher.watched import Gone, Kind, Listed, Seen

T = TypeVar("T", bound=Object)

_BREATH_SECONDS = 1.0
"""A server that lists what it does not serve is not besieged."""
_log = Log("publisher.served")


async def follow_served(
    api: Kube, versions: Sequence[Kind[T]], again_seconds: float = AGAIN_SECONDS
) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
    """All there is, then every change, for ever. `versions` are of one kind, the newest first."""
    before: str | None = None
    while True:
        kind = await api.served(versions)
        path = "" if kind is None else kind.path
        if path != before:
            _log.info("kind is served" if path else "kind is not served", kind=versions[0].name, path=path)
        before = path
        if kind is None:
            yield Listed(())
            await asyncio.sleep(again_seconds)
            continue
        async for event in api.follow_while_served(kind):
            yield event
        await asyncio.sleep(min(again_seconds, _BREATH_SECONDS))
