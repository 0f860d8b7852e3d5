"""Tell running servers what may be said from now on: the accounts' tokens anew, as the system account.

A part of the door: a server reads these from its configuration only when it starts. Refuses to make tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from slicewire.common.bus.client import QuickClient
from slicewire.common.bus.complaints import Complaints
from slicewire.common.bus.connection import LOST, servers
from slicewire.common.bus.envelope import as_shown
from slicewire.common.bus.identity import Access
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.model import wire

_PATIENCE_SECONDS = 5.0


async def renew(url: str, access: Access, tokens: Mapping[str, str]) -> None:
    """Whoever is connected and not allowed any more is cut off at once. Raises `BusUnavailable`."""
    client = QuickClient()
    client.access = access
    complaints = Complaints(access, as_shown(url))
    options = {"error_cb": complaints.heard, "max_reconnect_attempts": -1, **access.options()}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await client.connect(servers=servers(url), name="slicewire-credentials", **options)
        await client.expect_answers()
        for account, token in tokens.items():
            answer = await client.asked(f"$SYS.REQ.ACCOUNT.{account}.CLAIMS.UPDATE", token.encode())
            _refuse_error(wire.decode(answer.data, dict[str, Any]))
    except LOST as error:
        raise BusUnavailable(complaints.in_words()) from error
    finally:
        await client.close()


def _refuse_error(answer: Mapping[str, Any]) -> None:
    if error := answer.get("error"):
        raise BusUnavailable(f"the server does not take it: {error.get('description', error)}")
