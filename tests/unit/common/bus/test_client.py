"""Messages reach whoever waits for them, whatever came before them on the wire and wherever it was cut."""

from __future__ import annotations

import pytest

from slicewire.common.bus.client import QuickClient
from slicewire.common.bus.lines import Arrived

HEAD = b"NATS/1.0\r\nce-id: 7\r\n\r\n"
WITH_HEAD = b"HMSG b 7 back %d %d\r\n%b%b\r\n" % (len(HEAD), len(HEAD) + 2, HEAD, b"ho")
WIRE = b"MSG a 7 2\r\nhi\r\n+OK\r\nMSG a 7 3\r\n+OK\r\n" + WITH_HEAD + b"+OK\r\n+OK\r\n" + WITH_HEAD
FOUND = [
    Arrived(b"a", 7, b"", None, b"hi"),
    Arrived(b"a", 7, b"", None, b"+OK"),
    Arrived(b"b", 7, b"back", HEAD, b"ho"),
    Arrived(b"b", 7, b"back", HEAD, b"ho"),
]


@pytest.mark.parametrize("cut", range(len(WIRE) + 1))
async def test_messages_between_other_lines_all_arrive(cut: int) -> None:
    client = QuickClient()
    arrived: list[Arrived] = []
    client.direct[7] = arrived.append

    await client._ps.parse(WIRE[:cut])
    await client._ps.parse(WIRE[cut:])

    assert arrived == FOUND


async def test_what_is_for_nobody_is_left_out() -> None:
    client = QuickClient()
    arrived: list[Arrived] = []
    client.direct[7] = arrived.append

    await client._ps.parse(b"MSG a 8 2\r\nhi\r\nMSG a 7 2\r\nho\r\n")

    assert [each.data for each in arrived] == [b"ho"]
