"""No password, token or key is in a log, an error or a fact, however it was given."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.common.bus.envelope import as_shown
from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import BusUnavailable

PASSWORD = "s3cr3t"
URLS = (
    f"nats://ann:{PASSWORD}@127.0.0.1:1",
    f"nats://ann:{PASSWORD}@{PASSWORD}@127.0.0.1:1",
    f"nats://ann:/{PASSWORD}/@127.0.0.1:1",
    f"nats://{PASSWORD}@127.0.0.1:1,nats://bob:{PASSWORD},@127.0.0.1:2",
    f"ann:{PASSWORD}@127.0.0.1:1",
)


@pytest.mark.parametrize("url", URLS)
def test_where_the_bus_is_is_shown_without_its_password(url: str) -> None:
    assert PASSWORD not in as_shown(url)
    assert "127.0.0.1" in as_shown(url)


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda word: word not in "nats://ann:@h1:4222,tls://h2"))
def test_no_password_is_shown_whatever_its_signs(password: str) -> None:
    shown = as_shown(f"nats://ann:{password}@h1:4222")
    assert shown == "nats://h1:4222"


async def test_a_server_that_is_away_is_named_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BusUnavailable) as refused:
        async with connected(URLS[0], name="test", patience_seconds=0.2):
            pass
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in caplog.text


@pytest.mark.slow
async def test_a_part_that_starts_without_a_bus_does_not_say_the_password() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "slicewire.allocator",
        env={"SLICEWIRE_NATS_URL": URLS[0], "SLICEWIRE_LOG_LEVEL": "debug"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(1.5):
            said, _ = await process.communicate()
    except TimeoutError:
        process.terminate()
        said, _ = await process.communicate()
    assert PASSWORD.encode() not in said, said
