"""ARCHITECTURE.md is a map: what it names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TEXT = (ROOT / "ARCHITECTURE.md").read_text()
_TREE = _TEXT.partition("## Where things are")[2].split("```")[1]
_NAME = re.compile(r"[\w*-]+(?:[/.][\w*-]+)*(?:\.(?:py|md|json)\b|/)")
_ENTRY = "    "
_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md", "docs/adr/*.md")


def named_in_the_tree() -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Each name, and the folders where it may be: those of its entry's paths, its section's, or the root."""
    section, entry = ROOT, ""
    for line in _TREE.splitlines():
        if line and not line.startswith(" "):
            section = ROOT / line.split()[0]
        entry = entry + line if line.startswith(_ENTRY + " ") else line
        folders = [section / name.rpartition("/")[0] for name in _NAME.findall(entry) if "/" in name]
        for name in _NAME.findall(line):
            yield name, (*folders, section, ROOT)


def named_in_the_table() -> Iterator[str]:
    """What shows that something stays true: paths below tests/."""
    for line in _TEXT.partition("## What must stay true")[2].splitlines():
        if line.startswith("| "):
            yield from re.findall(r"`([a-z_0-9]+/[\w/.]*)`", line.split(" | ")[-1])


def test_every_path_of_the_tree_is_there() -> None:
    names = tuple(named_in_the_tree())
    assert len(names) > 100
    missing = [name for name, folders in names if not any(list(each.glob(name)) for each in folders)]
    assert missing == []


def test_every_test_that_shows_what_must_stay_true_is_there() -> None:
    shown = tuple(named_in_the_table())
    assert len(shown) > 20
    assert [path for path in shown if not (ROOT / "tests" / path).exists()] == []


@pytest.mark.parametrize("pages", _PAGES)
def test_every_make_target_that_a_page_names_is_there(pages: str) -> None:
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
    named = {name for page in ROOT.glob(pages) for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert sorted(named.difference(targets)) == []


@pytest.mark.parametrize("pages", _PAGES)
def test_every_link_to_a_file_leads_to_one(pages: str) -> None:
    linked = [
        (page, link)
        for page in ROOT.glob(pages)
        for link in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text())
    ]
    assert linked
    assert [f"{page.name}: {link}" for page, link in linked if not (page.parent / link).exists()] == []
