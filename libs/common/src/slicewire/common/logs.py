"""Logs: one event per decision, fields not sentences, and the trace they belong to."""

from __future__ import annotations

import logging
import sys
import time
from functools import lru_cache
from typing import Any

import msgspec

from slicewire.common import telemetry

_ENCODER = msgspec.json.Encoder(enc_hook=str)


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
    """Log to standard error, as JSON lines or, with `form="text"`, for people."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if form == "text" else _Json())
    # A line names its event, not its place in the code: looking for that is half of what a line costs.
    logging._srcfile = None  # noqa: SLF001 - as Python's logging how-to has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("nats", "asyncio", "urllib3", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    given = getattr(record, "fields", {})
    trace = telemetry.traceparent()
    return {**given, "trace_id": trace.split("-")[1]} if trace else dict(given)


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
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line).decode()


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items() if name != "trace_id")
        where = record.name.removeprefix("slicewire.")
        text = f"{clock} {record.levelname[0]} {where}: {record.getMessage()} {fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
