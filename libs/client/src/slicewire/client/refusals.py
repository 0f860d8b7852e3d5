"""What a bus that refuses us complains of, as one line with the next step, for whoever types a command.

Refuses to say the same line twice in a row, and to keep what was said in a file: commands have no log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from slicewire.client import console
from slicewire.common.bus.port import BusUnavailable, NotAllowed
from slicewire.common.logs import shown

_ROTATE = (
    "`slicewire credentials rotate NAME` where it was made, and put the new file in the place of this one"
)
_NEXT = {
    "permissions violation": (
        "let SLICEWIRE_NATS_CREDENTIALS name the file of a role that may: docs/bus-security.md, `Who may say"
        " what`; one that should be able to needs the rights of this version: `slicewire credentials init`,"
        " then `push`"
    ),
    " expired ": _ROTATE,
    " expire ": _ROTATE,
    "are revoked, or of another bus": (
        "see that --nats-url or SLICEWIRE_NATS_URL is the bus they were made for; if it is, have a new file"
        " made: `slicewire credentials rotate NAME`"
    ),
    "names no file": "let SLICEWIRE_NATS_CREDENTIALS name the file that was made for you",
    "names its authority": "let SLICEWIRE_NATS_CA name the ca.crt that came with your credentials",
    "certificate is not believed by": (
        "let SLICEWIRE_NATS_CA name the ca.crt of this bus; if it does, the name in the URL is not in the"
        " server's certificate: `slicewire credentials init --server NAME`"
    ),
    "does not speak TLS": (
        "see that --nats-url or SLICEWIRE_NATS_URL is the secured bus; without SLICEWIRE_NATS_CA one without"
        " TLS is spoken to as well"
    ),
}
"""By what stands in the reason."""


def next_step(reason: str) -> str:
    """What a person does about it; "" where it is no refusal."""
    return next((step for part, step in _NEXT.items() if part in reason), "")


class Said(logging.Handler):
    """What the bus complained of while a command ran, each said as soon as it came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._reasons: set[str] = set()
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        reason = str(shown(fields.get("reason", "")))
        line = _line(record.getMessage(), reason or " ".join(f"{k}={shown(v)}" for k, v in fields.items()))
        if line != self._last:
            console.complain(line)
        self._last = line
        self._reasons |= {reason} - {""}

    def has_said(self, error: BusUnavailable) -> bool:
        """Whether its reason stands there already."""
        return isinstance(error, NotAllowed) or any(reason in str(error) for reason in self._reasons)


def _line(event: str, reason: str) -> str:
    step = next_step(reason)
    text = " ".join(f"{event}: {reason}".split()) if reason else event
    return f"{text} → {step}" if step else text


@contextmanager
def said_aloud() -> Iterator[Said]:
    """The warnings of everything beneath, on standard error, in place of Python's own bare line."""
    said, logger = Said(), logging.getLogger("slicewire")
    logger.addHandler(said)
    try:
        yield said
    finally:
        logger.removeHandler(said)
