"""What a command says of a bus that refuses something."""

from __future__ import annotations

import logging

import pytest

from slicewire.client.refusals import next_step, said_aloud
from slicewire.common.bus.port import BusUnavailable, NotAllowed
from slicewire.common.logs import Log

EXPIRED = "the credentials a.creds of user expired 2026-01-01T00:00:00Z"
_log = Log("bus")


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        (EXPIRED, "`slicewire credentials rotate NAME`"),
        (EXPIRED.replace("expired", "expire"), "`slicewire credentials rotate NAME`"),
        ("the credentials a.creds of user are revoked, or of another bus", "see that --nats-url"),
        (
            "TLS: the server's certificate is not believed by ca.crt: X",
            "let SLICEWIRE_NATS_CA name the ca.crt of",
        ),
        (
            "not believed; SLICEWIRE_NATS_CA names its authority: X",
            "let SLICEWIRE_NATS_CA name the ca.crt that",
        ),
        (
            "and SLICEWIRE_NATS_CREDENTIALS names no file",
            "let SLICEWIRE_NATS_CREDENTIALS name the file that was",
        ),
        ("the server does not speak TLS, and", "see that --nats-url"),
        (
            'permissions violation for publish to "x"',
            "let SLICEWIRE_NATS_CREDENTIALS name the file of a role",
        ),
        ("no NATS server answers at nats://127.0.0.1:1", ""),
    ],
)
def test_every_reason_has_its_next_step(reason: str, step: str) -> None:
    found = next_step(reason)
    assert found.startswith(step)
    assert bool(found) is bool(step)


def test_a_warning_is_one_line_with_its_reason_and_is_not_said_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with said_aloud() as said:
        for _ in range(2):
            _log.warning("bus refuses us", url="tls://h", reason=f"{EXPIRED}\nand more")
        _log.warning("bus is away", url="tls://ann:secret@h")
        _log.info("nobody needs this", reason="x")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"bus refuses us: {EXPIRED} and more → `slicewire")
    assert second == "bus is away: url=tls://***@h"
    assert not said.has_said(BusUnavailable("no NATS server answers"))
    assert said.has_said(NotAllowed("asking x"))


def test_the_end_of_a_command_does_not_repeat_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    with said_aloud() as said:
        _log.warning("bus refuses us", url="tls://h", reason=EXPIRED)
    assert said.has_said(BusUnavailable(f"the bus at tls://h refuses us: {EXPIRED}"))
    assert EXPIRED in capsys.readouterr().err
    assert not logging.getLogger("slicewire").handlers, "nothing is left behind"
