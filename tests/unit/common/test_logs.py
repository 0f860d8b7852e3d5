"""Log lines: one event with its fields, for programs as JSON and for people as text."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from slicewire.common import logs, telemetry, vitals
from slicewire.common.messages import ClaimRef
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    DeviceID,
    DeviceName,
    DriverName,
    Namespace,
    PoolName,
    Quantity,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
CONTEXT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture(autouse=True)
def _logging_is_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = capfd.readouterr()
    assert written.out == ""
    return [json.loads(line) for line in written.err.splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    logs.Log("allocator").info("claim allocated", claim="default/train", devices=["gpu-0", "gpu-1"], count=2)
    (line,) = lines(capfd)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "slicewire.allocator",
        "event": "claim allocated",
        "claim": "default/train",
        "devices": ["gpu-0", "gpu-1"],
        "count": 2,
    }


def test_a_line_stays_one_line_whatever_a_field_holds(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    device = DeviceID(DriverName("d"), PoolName("p"), DeviceName("g"))
    logs.Log("x").info("said\nin two", text="a\nb", amount=Quantity("1Gi"), error=ValueError("v"), of=device)
    (line,) = lines(capfd)
    assert (line["event"], line["text"], line["amount"], line["error"]) == (
        "said\nin two",
        "a\nb",
        "1Gi",
        "v",
    )


def test_a_line_carries_the_trace_it_belongs_to(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    log = logs.Log("x")
    with telemetry.carried(CONTEXT):
        log.info("inside")
    log.info("outside")
    inside, outside = lines(capfd)
    assert inside["trace_id"] == TRACE
    assert "trace_id" not in outside


def test_the_level_decides_what_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("warning", "json")
    log = logs.Log("x")
    for say in (log.debug, log.info, log.warning, log.error):
        say("told")
    assert [line["level"] for line in lines(capfd)] == ["WARNING", "ERROR"]
    logs.start("DEBUG", "json")
    log.debug("told")
    assert [line["level"] for line in lines(capfd)] == ["DEBUG"]


def test_a_crash_is_an_error_with_its_traceback_in_the_same_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    try:
        raise ZeroDivisionError("seven by nothing")
    except ZeroDivisionError:
        logs.Log("x").crashed("claim not decided", claim="default/train")
    (line,) = lines(capfd)
    assert (line["level"], line["claim"]) == ("ERROR", "default/train")
    assert line["error"].startswith("Traceback")
    assert "seven by nothing" in line["error"]


def test_people_read_text(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "text")
    with telemetry.carried(CONTEXT):
        logs.Log("allocator").warning("claim waits", claim="default/train")
    clock, _, rest = capfd.readouterr().err.partition(" ")
    assert clock.count(":") == 2
    assert rest == "W allocator: claim waits claim=default/train\n"


def test_people_see_the_traceback_too(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "text")
    try:
        raise ZeroDivisionError("seven by nothing")
    except ZeroDivisionError:
        logs.Log("x").crashed("went wrong")
    written = capfd.readouterr().err
    assert "E x: went wrong" in written
    assert "ZeroDivisionError: seven by nothing" in written


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("form", "where", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_a_terminal_is_for_people_unless_it_is_said_otherwise(
    form: str, where: io.StringIO, is_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", where)
    logs.start("INFO", form)
    logs.Log("x").info("told")
    assert where.getvalue().startswith("{") is is_json


def test_a_claim_is_always_two_fields(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    logs.Log("x").info("prepared", claim=ClaimRef(ClaimUID("u-1"), Namespace("default"), ClaimName("train")))
    (line,) = lines(capfd)
    assert (line["claim"], line["claim_uid"]) == ("default/train", "u-1")


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "field",
    [
        "nats://user:hunter2@bus:4222",
        "nats://user:hunter2@a:4222,tls://other:hunter2@b:4222",
        "cannot reach https://token-hunter2@api:6443/apis: refused",
        "nats://user:h@hunter2@bus:4222",
        ["nats://user:hunter2@bus:4222"],
        ("ok", "nats://user:hunter2@bus:4222"),
        OSError("nats://user:hunter2@bus:4222: refused"),
    ],
)
def test_the_password_of_a_url_is_not_written(
    form: str, field: object, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.start("DEBUG", form)
    log = logs.Log("x")
    log.warning("bus is away", url=field)
    log.warning(" ".join(("at", str(field))))
    try:
        raise ConnectionError(str(field))
    except ConnectionError:
        log.crashed("went wrong", reason=field)
    written = capfd.readouterr().err
    assert "hunter2" not in written
    assert written.count("***@") >= 4


def test_what_is_no_url_is_written_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("INFO", "json")
    logs.Log("x").info("leading", identity="publisher-1@host/uuid", url="nats://bus:4222/a@b", at="a @ b")
    (line,) = lines(capfd)
    assert (line["identity"], line["url"], line["at"]) == (
        "publisher-1@host/uuid",
        "nats://bus:4222/a@b",
        "a @ b",
    )


def test_lines_are_counted_by_their_level(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("WARNING", "json")
    before = {level: vitals.LINES.value(level) for level in ("INFO", "WARNING", "ERROR")}
    log = logs.Log("x")
    for say in (log.info, log.warning, log.error, log.error):
        say("told")
    after = {level: vitals.LINES.value(level) - before[level] for level in before}
    assert after == {"INFO": 0, "WARNING": 1, "ERROR": 2}
