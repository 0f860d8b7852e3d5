"""Time zones: how far a zone is from UTC at a moment, by name (`Europe/Berlin`) or as an offset (`+02:00`).

The IANA database comes with the program (`tzdata`) and is read once, when this module is imported: the
machine's own files are never looked at, so an answer does not depend on where it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from zoneinfo import ZoneInfo

from slicewire.allocator.core.cel.faults import Failed

_SECOND, _MINUTE = 10**9, 60 * 10**9
_OFFSET = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
"""Local time is a date of these years too. No zone changes its clock in the days that are cut off."""


def _database() -> Mapping[str, bytes]:
    package = files("tzdata")
    names = package.joinpath("zones").read_text(encoding="utf-8").split()
    return {name: package.joinpath("zoneinfo", *name.split("/")).read_bytes() for name in names}


_DATABASE = _database()


def offset_of(zone: str, nanoseconds: int) -> int:
    """Nanoseconds east of UTC at a moment that is counted from 1970. Raises `Failed` for a zone nobody knows.

    As in Kubernetes, a text with a colon is an offset, any other a name in its exact spelling.
    """
    if zone in {"", "UTC"}:
        return 0
    return _fixed(zone) if ":" in zone else _named(zone, nanoseconds)


def _fixed(zone: str) -> int:
    match = _OFFSET.fullmatch(zone)
    if match is None or int(match[3]) > 59:
        raise Failed(f"unknown time zone {zone}: an offset from UTC is written like +02:00")
    offset = (int(match[2]) * 60 + int(match[3])) * _MINUTE
    return -offset if match[1] == "-" else offset


def _named(zone: str, nanoseconds: int) -> int:
    moment = _EPOCH + timedelta(seconds=nanoseconds // _SECOND)
    local = min(max(moment, _FIRST), _LAST).astimezone(_zone(zone))
    offset = local.utcoffset()
    assert offset is not None, f"{zone} is a zone, and has an offset at every moment"
    return round(offset.total_seconds()) * _SECOND


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    if name not in _DATABASE:
        raise Failed(f"unknown time zone {name}")
    return ZoneInfo.from_file(BytesIO(_DATABASE[name]), key=name)
