"""Logs: one event per decision, fields not sentences, and the trace they belong to."""

from __future__ import annotations

import logging
import re
import sys
import time
from functools import lru_cache
from typing import Any, TextIO

import msgspec

from slicewire.common import telemetry, vitals

_ENCODER = msgspec.json.Encoder(enc_hook=str)
_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s]*@", re.IGNORECASE)
"""To the last `@` before a path: a password may hold that sign, though it should not."""


class Log:
    """`log.info("claim allocated", claim=…, node=…)`: an event and its fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"slicewire.{name}")

    def debug(self, event: str, **fields: object) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: object) -> None:
        """A person must act."""
        self._logger.error(event, extra={"fields": fields})

    def crashed(self, event: str, **fields: object) -> None:
        """A bug in one work item: with the traceback; the rest goes on."""
        self._logger.error(event, extra={"fields": fields}, exc_info=sys.exc_info())


def start(level: str, form: str) -> None:
    """Log to standard error: `json` lines, `text` for people, or `auto`, which is text on a terminal."""
    is_for_people = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = _Counting(sys.stderr)
    handler.setFormatter(_Text() if is_for_people else _Json())
    # A line names its event, not its place in the code: looking for that is half of what a line costs.
    logging._srcfile = None  # noqa: SLF001 - as Python's logging how-to has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("nats", "asyncio", "urllib3", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


class _Counting(logging.StreamHandler[TextIO]):
    """What is logged is measured too: an operator is woken by a number, not by a line."""

    def emit(self, record: logging.LogRecord) -> None:
        vitals.LINES.add(record.levelname)
        super().emit(record)


def shown(value: object) -> object:
    """Without the user and password of a URL, which people give where they give a URL."""
    match value:
        case str():
            return _PASSWORD.sub(r"\1***@", value) if "@" in value else value
        case list() | tuple():
            return [shown(each) for each in value]
        case BaseException():
            return shown(str(value))
        case _:
            return value


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    given = dict[str, object]()
    for name, value in getattr(record, "fields", {}).items():
        given |= _told(name, value)
    trace = telemetry.traceparent()
    return {**given, "trace_id": trace.split("-")[1]} if trace else given


def _told(name: str, value: Any) -> dict[str, object]:
    """What has a UID, as a claim, is always two fields: as people call it, and by what every line has."""
    if isinstance(value, str) or not hasattr(value, "uid"):
        return {name: shown(value)}
    return {name: f"{value.namespace}/{value.name}", f"{name}_uid": value.uid}


@lru_cache(maxsize=1)
def _second(since_1970: int) -> str:
    """Many lines are of one second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_1970))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{_second(int(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": shown(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["error"] = shown(self.formatException(record.exc_info))
        return _ENCODER.encode(line).decode()


def _in_a_line(value: object) -> str:
    """A name from outside must not begin a line of its own, nor move the cursor."""
    text = str(value)
    return text if text.isprintable() else "".join(s if s.isprintable() else ascii(s)[1:-1] for s in text)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        given = _fields(record).items()
        fields = " ".join(f"{name}={_in_a_line(value)}" for name, value in given if name != "trace_id")
        where = record.name.removeprefix("slicewire.")
        text = f"{clock} {record.levelname[0]} {where}: {shown(record.getMessage())} {fields}"
        return f"{text}\n{shown(self.formatException(record.exc_info))}" if record.exc_info else text
