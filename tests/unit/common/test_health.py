"""What probes see: alive at once, ready when it is true, gone when the part is."""

from __future__ import annotations

import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from slicewire.common import health
from slicewire.common.settings import BadSettings


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


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz/", "/healthz?verbose"])
def test_other_paths_are_told_what_there_is(port: int, path: str) -> None:
    with health.serving(port, lambda: True):
        assert get(port, path) == (404, "there are /healthz and /readyz\n")


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
