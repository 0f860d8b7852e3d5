"""Which processes have a device file open, as `/proc` tells. It sees the processes of its PID namespace:
node-prep needs the host's. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path

from slicewire.node_prep.kernelfiles import text


def users(proc: Path, nodes: Set[str]) -> tuple[str, ...]:
    """`4711 (python3)` for each process but this one that has one of these files of /dev open, whatever
    the path of /dev is where it runs."""
    return tuple(
        named(proc, int(process.name))
        for process in sorted(proc.glob("[0-9]*"))
        if process.name != str(os.getpid()) and any(_is_one(path, nodes) for path in _opened(process))
    )


def named(proc: Path, pid: int) -> str:
    return f"{pid} ({text(proc / str(pid) / 'comm') or 'unknown'})"


def _opened(process: Path) -> Iterator[str]:
    """A process that is gone, or not ours to see, has none."""
    with suppress(OSError):
        for descriptor in tuple((process / "fd").iterdir()):
            with suppress(OSError):  # closed meanwhile
                yield str(descriptor.readlink())


def _is_one(path: str, nodes: Set[str]) -> bool:
    return any(path.endswith(node) for node in nodes)
