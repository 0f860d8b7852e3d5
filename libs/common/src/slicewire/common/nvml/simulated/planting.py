"""Making folders and links agree with what they should be."""

from __future__ import annotations

import shutil
from collections.abc import Set
from pathlib import Path


def link(at: Path, target: Path) -> None:
    """A link that leads there, whatever was there before."""
    if not at.is_symlink():
        at.symlink_to(target)
    elif at.readlink() != target:
        at.unlink()
        at.symlink_to(target)


def keep_only(folder: Path, names: Set[str]) -> None:
    """What is not named goes."""
    for found in folder.iterdir():
        if found.name in names:
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()


def say(file: Path, text: str) -> None:
    """The file with this text; who reads it meanwhile never finds half of it."""
    if file.is_file() and file.read_text(errors="replace") == text:
        return
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text)
    beside.replace(file)
