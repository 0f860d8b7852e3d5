"""docs/scale.md: what is worked out there follows from what was measured there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
WORKED_OUT = PAGE.partition("## Worked out")[2]
CLAIMS_A_NODE, A_CLAIMS_SECONDS = 7.2, 3600
_UNITS = {"MB": 1e6, "GB": 1e9}


def row(name: str) -> list[str]:
    """The last two cells of a row: at 10,000 and at 100,000 nodes."""
    found = re.search(rf"^\| {re.escape(name)}[^|]*\|(.*)\|$", WORKED_OUT, re.MULTILINE)
    assert found is not None, name
    return [cell.strip() for cell in found[1].split("|")][-2:]


def amount(cell: str) -> float:
    number, _, unit = cell.partition(" ")
    return float(number.replace(",", "")) * _UNITS.get(unit, 1.0)


@pytest.mark.parametrize("at", [0, 1])
def test_the_table_is_its_formulas(at: int) -> None:
    nodes = (10_000, 100_000)[at]
    claims = CLAIMS_A_NODE * nodes
    begun = claims / A_CLAIMS_SECONDS
    follows = {
        "claims at a time": claims,
        "claims begun a second": begun,
        "facts told a second": 8 * begun,
        "signs of life on the bus a second": 2 * nodes / 2,
        "roll-call a second": 2 * nodes / 30,
        "keys (subjects) in the state": 3 * nodes + 3 * claims,
        "state, bytes": 8.0e3 * nodes + 3e3 * claims,
        "the same, every MIG placement told": 240 * 1024 * nodes + 3e3 * claims,
        "history a day, bytes": 8 * begun * 86_400 * 2e3,
        "memory of an allocator": 34 * 2**20 + 11.3 * 1024 * nodes + 4.6e3 * claims,
        "publisher, writes a second": 4 * begun,
        "followers (consumers) on the state": 2 * nodes,
    }
    for name, value in follows.items():
        said = amount(row(name)[at])
        assert said == pytest.approx(value, rel=0.03), name
