"""Timestamps and durations, without a clock; time zones are those that come with the program."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask

MOMENT = "timestamp('2024-02-29T23:45:06.789Z')"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("getFullYear()", 2024),
        ("getMonth()", 1),
        ("getDate()", 29),
        ("getDayOfMonth()", 28),
        ("getDayOfYear()", 59),
        ("getDayOfWeek()", 4),
        ("getHours()", 23),
        ("getMinutes()", 45),
        ("getSeconds()", 6),
        ("getMilliseconds()", 789),
        ("getDate('+01:00')", 1),
        ("getHours('-02:30')", 21),
        ("getHours('UTC')", 23),
    ],
)
def test_a_moment_in_its_parts(part: str, value: int) -> None:
    assert ask(f"{MOMENT}.{part} == {value}") is True


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        (f"string({MOMENT}) == '2024-02-29T23:45:06.789Z'", True),
        ("timestamp('2024-03-01T01:00:00+01:00') == timestamp('2024-03-01T00:00:00Z')", True),
        (f"timestamp(0) < {MOMENT} && int(timestamp('1969-12-31T23:59:59Z')) == -1", True),
        ("timestamp('2023-12-31T00:00:00Z') + duration('24h') == timestamp('2024-01-01T00:00:00Z')", True),
        ("duration('1h') + timestamp(0) == timestamp(3600)", True),
        ("timestamp(60) - duration('1m') == timestamp(0)", True),
        ("timestamp(90) - timestamp(30) == duration('1m')", True),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s') > timestamp(0)", "timestamp overflow"),
        ("string(timestamp('0001-01-01T00:00:00Z')) == '0001-01-01T00:00:00Z'", True),
        ("duration('1h30m') == duration('90m') && duration('-1.5s') == duration('-1500ms')", True),
        ("duration('1h') - duration('1m') == duration('59m') && duration('1us') > duration('999ns')", True),
        ("string(duration('1h30m')) == '5400s' && string(duration('-1.5s')) == '-1.5s'", True),
        ("duration('90m').getHours() == 1 && duration('-90s').getMinutes() == -1", True),
        ("duration('1.5s').getSeconds() == 1 && duration('1.5s').getMilliseconds() == 1500", True),
        ("duration('2562047h') + duration('2562047h') > duration('0s')", "integer overflow"),
        ("duration(attr.productName) > duration('0s')", "type conversion error from 'string'"),
        ("timestamp(attr.productName) > timestamp(0)", "type conversion error from 'string'"),
    ],
)
def test_times_are_counted_in_nanoseconds(expression: str, answer: bool | str) -> None:
    found = ask(expression)
    assert found is answer or (isinstance(answer, str) and answer in str(found))


@pytest.mark.parametrize(
    ("moment", "part", "value"),
    [
        ("2024-02-29T23:45:06.789Z", "getHours('Europe/Berlin')", 0),
        ("2024-02-29T23:45:06.789Z", "getDate('Europe/Berlin')", 1),
        ("2024-02-29T23:45:06.789Z", "getMonth('Europe/Berlin')", 2),
        ("2024-02-29T23:45:06.789Z", "getDayOfWeek('Asia/Tokyo')", 5),
        ("2024-02-29T23:45:06.789Z", "getMinutes('Asia/Kathmandu')", 30),
        ("2024-02-29T23:45:06.789Z", "getMilliseconds('Asia/Kathmandu')", 789),
        ("2024-03-10T06:59:59Z", "getHours('America/New_York')", 1),
        ("2024-03-10T07:00:00Z", "getHours('America/New_York')", 3),
        ("2024-11-03T05:59:59Z", "getHours('US/Eastern')", 1),
        ("2024-11-03T06:00:00Z", "getHours('US/Eastern')", 1),
        ("2400-07-01T12:00:00Z", "getHours('Europe/Berlin')", 14),
        ("0001-01-01T00:00:00Z", "getFullYear('America/New_York')", 0),
        ("0001-01-01T00:00:00Z", "getSeconds('Europe/Berlin')", 28),
        ("9999-12-31T23:59:59.999999999Z", "getFullYear('Asia/Tokyo')", 10000),
        ("2024-02-29T23:45:06Z", "getHours('Etc/GMT+5')", 18),
        ("2024-02-29T23:45:06Z", "getHours('')", 23),
    ],
)
def test_a_zone_is_asked_by_its_name_and_summer_time_is_kept(moment: str, part: str, value: int) -> None:
    assert ask(f"timestamp('{moment}').{part} == {value}") is True


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "europe/berlin", "Local", "../etc/passwd", "/etc/localtime", "Europe", " UTC"]
)
def test_a_zone_that_nobody_knows_is_named(zone: str) -> None:
    assert ask(f"{MOMENT}.getHours('{zone}') == 0") == f"unknown time zone {zone}"


@pytest.mark.parametrize("zone", ["+1:5", "25:00:00", "+02:60", ":30", "Europe:Berlin"])
def test_an_offset_that_cannot_be_read_is_told_how_to_write_one(zone: str) -> None:
    answer = ask(f"{MOMENT}.getHours('{zone}') == 0")
    assert answer == f"unknown time zone {zone}: an offset from UTC is written like +02:00"


def test_a_zone_may_come_from_the_device_and_is_judged_when_it_is_known() -> None:
    assert ask(f"{MOMENT}.getHours(attr.productName) == 0") == "unknown time zone NVIDIA H100"
