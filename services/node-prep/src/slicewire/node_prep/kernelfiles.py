"""Single values of the kernel's, as files and links below /sys and /proc show them.

What cannot be read is empty: devices, processes and bindings go while one looks. All of it blocks: call it
in a thread.
"""

from __future__ import annotations

from pathlib import Path


def text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def target(link: Path) -> str:
    """The last name of where it leads."""
    try:
        return link.readlink().name
    except OSError:
        return ""
