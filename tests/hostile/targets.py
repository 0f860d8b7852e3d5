"""Everything that reads bytes from outside, as functions of bytes: each takes anything, and lets out no error
but those that it says it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from slicewire.allocator.core.cel.faults import CompileFault
from slicewire.allocator.core.cel.selector import compile_selector
from slicewire.client.documents import BadDocument, groups, read
from slicewire.common.bus import lines, serving
from slicewire.common.bus.envelope import Envelopes, as_shown
from slicewire.common.bus.link import Message
from slicewire.common.bus.port import Declined
from slicewire.common.messages import CATALOGUE, ENDPOINTS, BadKey, token
from slicewire.common.model import ClaimUID, wire
from slicewire.common.model.quantity import BadQuantity, Quantity
from slicewire.node_prep.core import cdi, record

MOST_PAYLOAD = 1024 * 1024
_SUBJECTS = tuple(
    channel.subject(*(f"name-{number}" for number in range(len(channel.key_names)))) for channel in CATALOGUE
)


def facts(data: bytes) -> None:
    """The first byte chooses the kind, the second how the subject ends."""
    subject = _SUBJECTS[data[0] % len(_SUBJECTS)] if data else _SUBJECTS[0]
    if len(data) > 1 and data[1] > 200:
        subject += f".{data[1]}"
    message = Message(subject, data[2:], {"ce-id": "x", "traceparent": data[:60].decode("latin-1")})
    heard = Envelopes("fuzz").open(message)
    if heard is not None and heard.fact is not None:
        again = wire.encode(heard.fact)
        assert wire.decode(again, type(heard.fact)) == heard.fact


def questions(data: bytes) -> None:
    endpoint = ENDPOINTS[data[0] % len(ENDPOINTS)] if data else ENDPOINTS[0]
    try:
        request = wire.decode(data[1:], endpoint.request)
    except wire.Malformed as error:
        reason = serving.sealed(Declined(400, str(error)), MOST_PAYLOAD)
        assert isinstance(reason, Declined)
        assert reason.reason.isprintable()
    else:
        assert isinstance(serving.sealed(request, MOST_PAYLOAD), bytes | Declined)


def documents(data: bytes) -> None:
    with suppress(BadDocument):
        groups(read(data.decode("utf-8", "replace"), "fuzz.yaml"))


def selectors(data: bytes) -> None:
    found = compile_selector(data.decode("utf-8", "replace"))
    assert not isinstance(found, CompileFault) or found.message


def quantities(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        amount = Quantity(text)
    except BadQuantity:
        return
    assert Quantity(Quantity.of(amount.value).text) == amount


def names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    file = cdi.file_name(ClaimUID(text))
    assert "/" not in file
    assert "\0" not in file
    assert len(file.encode()) <= 255
    assert cdi.claim_of(file) is None or cdi.file_name(cdi.claim_of(file) or ClaimUID("")) == file
    try:
        part = token(text)
    except BadKey:
        return
    assert part
    assert not set(part) & set(".*> \t\r\n\0")


def checkpoints(data: bytes) -> None:
    record.decode(data)


def protocol(data: bytes) -> None:
    """Only what the client's own parser would take too gets here: whole lines of numbers."""
    try:
        found, end = lines.messages_in(data)
    except (ValueError, IndexError, KeyError):
        return
    assert 0 <= end <= len(data)
    for message in found:
        dict(lines.Headers(message.head or b""))


def servers(data: bytes) -> None:
    password = data.decode("utf-8", "replace")
    assert as_shown(f"nats://ann:{password}@h1:4222") == "nats://h1:4222"


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        facts,
        questions,
        documents,
        selectors,
        quantities,
        names,
        checkpoints,
        protocol,
        servers,
    )
}
