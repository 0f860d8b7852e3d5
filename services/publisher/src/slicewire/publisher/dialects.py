"""Finding out how the server at hand is spoken to. What versions mean is in `core.versions`.

Where no version we know is served, it says so and asks again: an admin may switch one on.
"""

from __future__ import annotations

import asyncio

from slicewire.common.logs import Log
from slicewire.common.model import wire
from slicewire.common.model.struct import Object
from slicewire.publisher import watched
from slicewire.publisher.core.versions import VERSIONS, Dialect, dialect
from slicewire.publisher.following import FAULTS, Source, first_served, pause

AGAIN_SECONDS = 60.0
_log = Log("publisher.served")


class _Release(Object, frozen=True):
    minor: str = ""


async def find_dialect(source: Source) -> Dialect:
    """Waits until there is an answer with a version in it that we speak."""
    failures = 0
    while True:
        try:
            found = await _asked(source)
        except FAULTS as error:
            failures += 1
            wait = pause(error, failures)
            _log.warning("cannot see what is served", kind="versions", reason=str(error), pause_seconds=wait)
            await asyncio.sleep(wait)
            continue
        if found is not None:
            return found
        _log.error("Kubernetes serves no version of the device API that we speak", known=", ".join(VERSIONS))
        await asyncio.sleep(AGAIN_SECONDS)


async def _asked(source: Source) -> Dialect | None:
    """By who has slices: a server may list a version for another kind's sake."""
    release = wire.decode(await source.get("/version"), _Release)
    found = await first_served(source, watched.SLICES)
    return None if found is None else dialect(found.path.split("/")[-2], release.minor)
