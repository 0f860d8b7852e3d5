"""Timestamps and durations: parsing, writing, and their parts, in UTC or in a time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.arithmetic import EARLIEST, duration_of, timestamp_of
from slicewire.allocator.core.cel.functions.zones import offset_of
from slicewire.allocator.core.cel.overload import Overload, overload
from slicewire.allocator.core.cel.values import Duration, Timestamp

_SECOND, _MINUTE, _HOUR, _DAY = 10**9, 60 * 10**9, 3600 * 10**9, 86400 * 10**9
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": _SECOND, "m": _MINUTE, "h": _HOUR}
_DURATION = re.compile(
    r"[-+]?(?:0|(?:(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:ns|us|µs|μs|ms|s|m|h))+)"
)
_PART = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,64}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


def parsed_duration(text: str) -> Duration:
    """A duration as Go writes one: `1h30m`, `1.5s`, `-2ms`."""
    if not _DURATION.fullmatch(text):
        raise Failed("type conversion error from 'string' to 'google.protobuf.Duration'")
    total = sum(int(Fraction(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    return duration_of(-total if text[0] == "-" else total)


def parsed_timestamp(text: str) -> Timestamp:
    """A point in time as RFC 3339 writes it."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise _no_timestamp()
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not (
        1 <= month <= 12 and 1 <= day <= _days_in(year, month) and hour < 24 and minute < 60 and second < 60
    ):
        raise _no_timestamp()
    offset = 0
    if match[8]:
        offset = (int(match[9]) * 60 + int(match[10])) * (1 if match[8] == "+" else -1)
    of_day = (hour * 60 + minute - offset) * _MINUTE + second * _SECOND
    fraction = int((match[7] or "")[:9].ljust(9, "0"))
    return timestamp_of(_days_since_epoch(year, month, day) * _DAY + of_day + fraction)


def _no_timestamp() -> Failed:
    return Failed("type conversion error from 'string' to 'google.protobuf.Timestamp'")


def duration_text(value: Duration) -> str:
    """Seconds, with as many decimals as it takes."""
    sign = "-" if value.nanoseconds < 0 else ""
    seconds, rest = divmod(abs(value.nanoseconds), _SECOND)
    return f"{sign}{seconds}{_fraction(rest)}s"


def timestamp_text(value: Timestamp) -> str:
    date = _Civil.of(value.nanoseconds)
    seconds, rest = divmod(date.of_day, _SECOND)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}T{clock}{_fraction(rest)}Z"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""


def is_zero_time(value: Any) -> bool:
    """A zero duration, or the first moment of the year 1."""
    match value:
        case Duration():
            return value.nanoseconds == 0
        case Timestamp():
            return value.nanoseconds == EARLIEST
        case _:
            return False


class _Civil(NamedTuple):
    """A moment as calendar and clock show it: proleptic Gregorian, in eras of 400 years from 1 March 0000."""

    year: int
    month: int
    day: int
    days: int
    of_day: int

    @classmethod
    def of(cls, nanoseconds: int) -> _Civil:
        days, of_day = divmod(nanoseconds, _DAY)
        era, of_era = divmod(days + 719468, 146097)
        year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
        of_year = of_era - (365 * year + year // 4 - year // 100)
        month = (5 * of_year + 2) // 153
        day = of_year - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        return cls(year + era * 400 + (month <= 2), month, day, days, of_day)


def _days_since_epoch(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _days_in(year: int, month: int) -> int:
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return _days_since_epoch(*following, 1) - _days_since_epoch(year, month, 1)


_CALENDAR: dict[str, Callable[[_Civil], int]] = {
    "getFullYear": lambda date: date.year,
    "getMonth": lambda date: date.month - 1,
    "getDayOfYear": lambda date: date.days - _days_since_epoch(date.year, 1, 1),
    "getDayOfMonth": lambda date: date.day - 1,
    "getDate": lambda date: date.day,
    "getDayOfWeek": lambda date: (date.days + 4) % 7,
    "getHours": lambda date: date.of_day // _HOUR,
    "getMinutes": lambda date: date.of_day // _MINUTE % 60,
    "getSeconds": lambda date: date.of_day // _SECOND % 60,
    "getMilliseconds": lambda date: date.of_day // 10**6 % 1000,
}
_SPANS = {"getHours": _HOUR, "getMinutes": _MINUTE, "getSeconds": _SECOND, "getMilliseconds": 10**6}


def _calendar(name: str, read: Callable[[_Civil], int]) -> tuple[Overload, Overload]:
    def local(when: Timestamp, zone: str) -> int:
        return read(_Civil.of(when.nanoseconds + offset_of(zone, when.nanoseconds)))

    return (
        overload(f"timestamp.{name}() -> int", lambda when: read(_Civil.of(when.nanoseconds))),
        overload(f"timestamp.{name}(string) -> int", local),
    )


def _span(name: str, unit: int) -> Overload:
    def whole(value: Duration) -> int:
        count = abs(value.nanoseconds) // unit
        return -count if value.nanoseconds < 0 else count

    return overload(f"duration.{name}() -> int", whole)


OVERLOADS = (
    overload("duration(string) -> duration", parsed_duration),
    overload("timestamp(string) -> timestamp", parsed_timestamp),
    overload("timestamp(int) -> timestamp", lambda seconds: timestamp_of(seconds * _SECOND)),
    *(found for name, read in _CALENDAR.items() for found in _calendar(name, read)),
    *(_span(name, unit) for name, unit in _SPANS.items()),
)
