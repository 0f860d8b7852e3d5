"""What probes see: alive at once, ready when it is true, gone when the part is."""

from __future__ import annotations

import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from slicewire.common import health
from slicewire.common.metrics import Counter, Part
from slicewire.common.settings import BadSettings


@pytest.fixture(autouse=True, scope="module")
def _our_ends_are_quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "_LOOK_SECONDS", 0.01)
        yield


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_part_is_alive_from_the_start_and_ready_from_when_it_says_so(port: int) -> None:
    caught_up: list[bool] = []
    with health.serving(port, lambda: bool(caught_up)) as serving:
        assert serving == port
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/readyz") == (503, "catching up\n")
        caught_up.append(True)
        assert get(port, "/readyz") == (200, "ok\n")
        caught_up.clear()
        assert get(port, "/readyz") == (503, "catching up\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/healthz/", "/favicon.ico?v=1"])
def test_other_paths_are_told_what_there_is(port: int, path: str) -> None:
    with health.serving(port, lambda: True):
        assert get(port, path) == (404, "there are /healthz, /readyz and /metrics\n")


def test_probes_leave_no_line_on_standard_error(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    with health.serving(port, lambda: True):
        get(port, "/healthz")
        get(port, "/nowhere")
    assert capfd.readouterr() == ("", "")


def test_nothing_listens_once_the_part_has_ended(port: int) -> None:
    with health.serving(port, lambda: True):
        pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_port_0_serves_nothing() -> None:
    with health.serving(0, lambda: True) as serving:
        assert serving == 0


def test_a_part_without_a_service_yet_is_alive_and_not_ready(port: int) -> None:
    readiness = health.Readiness()
    with health.serving(port, readiness):
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/readyz") == (503, "catching up\n")
        readiness.follows(lambda: True)
        assert get(port, "/readyz") == (200, "ok\n")


def test_a_port_that_is_in_use_is_an_error_that_names_the_setting(port: int) -> None:
    with socket.create_server(("", port)):
        expected = f"SLICEWIRE_HEALTH_PORT='{port}': Address already in use"
        with pytest.raises(BadSettings, match=expected), health.serving(port, lambda: True):
            raise AssertionError("not reached")


def test_an_error_of_the_part_itself_is_not_taken_for_one_of_the_port(port: int) -> None:
    with pytest.raises(FileNotFoundError), health.serving(port, lambda: True):
        raise FileNotFoundError("of the part")


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_metrics_say_which_part_runs_whether_it_is_ready_and_what_it_measures(port: int) -> None:
    looks = Counter("slicewire_looks_total", "Looks")
    with health.serving(port, lambda: True, Part("tested", (looks,))):
        looks.add()
        status, text = get(port, "/metrics")
    assert status == 200
    assert 'slicewire_ready{part="tested"} 1.0' in text
    assert 'slicewire_bus_connected{part="tested"} 0.0' in text
    assert (
        f'slicewire_build_info{{part="tested",python="{platform.python_version()}",version="0.1.0"}} 1.0'
        in text
    )
    assert 'slicewire_looks_total{part="tested"} 1.0' in text


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (b"\x16\x03\x01 \x02\r\n\r\n", b"400", b"Bad HTTP/0.9 request"),
        (b"GET /metrics HTTP/9\r\n\r\n", b"400", b"Bad request version"),
        (b"GET\r\n\r\n", b"400", b"Bad request syntax"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"501", b"Unsupported method"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414", b"URI Too Long"),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431", b"Too many headers"),
    ],
)
def test_what_is_no_request_is_refused_in_a_line(
    serving: int, request_: bytes, status: bytes, says: bytes
) -> None:
    answer = raw(serving, request_)
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert says in body
    assert b"<html" not in body
    assert not head or status in head.splitlines()[0]


@pytest.mark.parametrize(
    "wish", ["text/plain; version=1.x", "application/openmetrics-text;version=", ";,;", "a" * 999]
)
def test_a_wish_that_cannot_be_read_gets_the_plain_text(serving: int, wish: str) -> None:
    answer = raw(serving, b"GET /metrics HTTP/1.0\r\nAccept: " + wish.encode() + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert b"slicewire_ready{" in answer


def test_a_bug_in_what_is_asked_is_said_and_the_next_question_is_answered(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([True])
    with health.serving(port, lambda: next(answers)):
        assert get(port, "/readyz") == (200, "ok\n")
        assert get(port, "/readyz") == (500, "StopIteration: \n")
        assert get(port, "/healthz") == (200, "ok\n")
    assert [record.message for record in caplog.records] == ["look failed"]


@pytest.fixture(scope="module")
def serving() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = int(probe.getsockname()[1])
    with health.serving(port, lambda: True) as served:
        yield served


def test_a_scrape_that_is_cut_holds_up_nobody(serving: int, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", serving)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert get(serving, "/healthz") == (200, "ok\n")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_clients_that_dribble_are_cut_and_leave_room_for_probes(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_WHOLE_SECONDS", 0.2)
    with health.serving(port, lambda: True), ExitStack() as open_:
        clients = [open_.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(40)]
        for client in clients:
            with suppress(OSError):  # those that found no room
                client.sendall(b"G")
        for client in clients:
            client.settimeout(5)
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert get(port, "/healthz") == (200, "ok\n")
