"""Names from outside on a terminal and in a log: text, whatever they hold."""

from __future__ import annotations

import logging

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.client.console import printable
from slicewire.common.logs import _Text
from tests.hostile.words import ANY_NAME

EVIL = "x\x1b[2J\r\nE allocator: nothing to see\u202e"


@settings(deadline=None)
@given(st.one_of(ANY_NAME, st.text(), st.just(EVIL)))
def test_nothing_that_moves_the_cursor_reaches_a_terminal(name: str) -> None:
    shown = printable(name)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert printable(shown) == shown
    assert not name.isprintable() or shown == name


@settings(deadline=None)
@given(st.one_of(ANY_NAME, st.just(EVIL)))
def test_a_name_begins_no_line_of_its_own_in_a_log(name: str) -> None:
    record = logging.LogRecord("slicewire.bus", logging.INFO, "", 0, "told", (), None)
    record.fields = {"claim": name}
    assert _Text().format(record).isprintable()
