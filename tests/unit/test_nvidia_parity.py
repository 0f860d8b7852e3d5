"""The comparison with NVIDIA's driver names a test for everything that it says is done here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "nvidia-parity.md"
_TEST = re.compile(r"`([a-z_/]+\.py)(?:::(\w+))?`")
ROWS = [
    cells
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| NVIDIA's", "| ---"))
    for cells in [[cell.strip() for cell in line.strip("| ").split(" | ")]]
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_says_what_is_done_and_names_tests_that_exist(row: list[str]) -> None:
    if row[1].startswith("*not there*") and len(row) < 3:
        return
    _, here, shown = row
    found = _TEST.findall(shown)
    assert here
    assert found, "no test is named"
    for path, name in found:
        text = (ROOT / "tests" / path).read_text()
        assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{path} has no {name}"


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 40
