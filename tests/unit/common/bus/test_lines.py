"""Messages out of bytes, whatever the buffer ends with, and headers as they are read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.bus.lines import Arrived, Headers, may_become_message, messages_in, written

_WORDS = st.text("abcz.-_", min_size=1, max_size=12).map(str.encode)
_HEADS = st.none() | st.dictionaries(st.sampled_from("abc"), st.text("xy:. ", max_size=5)).map(written)
_MESSAGES = st.builds(
    Arrived,
    subject=_WORDS,
    subscription=st.integers(1, 99),
    reply=st.just(b"") | _WORDS,
    head=_HEADS,
    data=st.binary(max_size=40) | st.just(b"MSG a 1 2\r\n"),
)


def sent(message: Arrived) -> bytes:
    """As a server would send it."""
    subject, subscription, reply, head, data = message
    words = [subject, str(subscription).encode(), *([reply] if reply else [])]
    sizes = [len(head), len(head) + len(data)] if head else [len(data)]
    line = b" ".join([b"HMSG" if head else b"MSG", *words, *(str(size).encode() for size in sizes)])
    return line + b"\r\n" + (head or b"") + data + b"\r\n"


@given(st.lists(_MESSAGES, max_size=5), st.data())
def test_messages_are_the_same_wherever_the_bytes_are_cut(
    messages: list[Arrived], data: st.DataObject
) -> None:
    stream = b"".join(map(sent, messages))
    cut = data.draw(st.integers(0, len(stream)))
    first, end = messages_in(stream[:cut])
    assert may_become_message(stream[end:cut])
    then, rest = messages_in(stream[end:])
    assert [*first, *then] == messages
    assert end + rest == len(stream)


@pytest.mark.parametrize("line", [b"PING\r\n", b"+OK\r\n", b"-ERR 'x'\r\n", b'INFO {"a":1}\r\n', b"P", b"MX"])
def test_what_is_no_message_is_left_where_it_begins(line: bytes) -> None:
    message = Arrived(b"a", 1, b"", None, b"body")
    assert messages_in(sent(message) + line) == ([message], len(sent(message)))
    assert not may_become_message(line)


def test_one_header_is_found_without_reading_the_others() -> None:
    headers = Headers(b"NATS/1.0\r\nce-id: 7\r\nce-id-2: 8\r\nother:x\r\nother: ce-id: 9\r\n\r\n")
    assert (headers.get("ce-id"), headers.get("ce-id-2"), headers.get("other")) == ("7", "8", "ce-id: 9")
    assert headers.get("id") is None
    assert headers.get("id", "none") == "none"
    assert dict(headers) == {"ce-id": "7", "ce-id-2": "8", "other": "ce-id: 9"}


@pytest.mark.parametrize("first", [b"NATS/1.0 100", b"NATS/1.0 100 Idle Heartbeat"])
def test_the_status_of_a_servers_own_message_is_a_header(first: bytes) -> None:
    headers = Headers(first + b"\r\nNats-Last-Consumer: 3\r\n\r\n")
    assert headers.get("Status") == "100"
    assert headers["Nats-Last-Consumer"] == "3"
    assert Headers.plain(first + b"\r\n\r\n") is None


def test_headers_are_written_as_they_are_read() -> None:
    headers = {"ce-id": "7", "traceparent": "00-a-b-01"}
    head = written(headers)
    assert head is not None
    assert dict(Headers(head)) == headers


@pytest.mark.parametrize("value", ["a\r\nforged: yes", "a\nb", "a\r"])
def test_a_header_of_more_than_a_line_is_left_to_those_who_look_closer(value: str) -> None:
    assert written({"reason": value}) is None
