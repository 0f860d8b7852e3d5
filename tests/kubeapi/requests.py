"""How a change and a deletion are asked for, beyond what is changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Write:
    """In whose name, whether for show only, how strictly it is read, and whether it may take fields over."""

    manager: str = "unknown"
    dry_run: bool = False
    strict: bool = False
    force: bool = False


@dataclass(frozen=True)
class Deletion:
    """What must still be true of the object, and how much time it gets."""

    uid: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    dry_run: bool = False
