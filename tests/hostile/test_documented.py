"""docs/security.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
TEXT = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:hostile|security|unit|component|deploy|soak|contract)/[\w/.]*)`", TEXT)))


def test_every_threat_has_a_test() -> None:
    table = TEXT.split("| Threat |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) > 15
    assert [row for row in table if not any(f"`{name}`" in row for name in NAMED)] == []


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name: str) -> None:
    assert (TESTS / name).exists()
    assert (TESTS / name).suffix == ".py" or any((TESTS / name).glob("test_*.py"))


def test_every_file_of_hostile_tests_is_named() -> None:
    there = {f"hostile/{path.name}" for path in Path(__file__).parent.glob("test_*.py")} - {
        f"hostile/{Path(__file__).name}"
    }
    assert there - set(NAMED) == set()
