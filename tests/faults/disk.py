"""What a process changes on the disk, and whom it starts and ends, as Python itself reports it (PEP 578).

Nothing of node-prep is replaced for it: the interpreter says before each operation that it is going to be.
Operations of the simulated node that only paint its `/sys` and `/proc` are no moments: a kernel does them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Heard = Callable[[str, str], None]
"""Is told the file, or who, and what is going to be done."""
_CHANGES = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "remove",
    "os.symlink": "link",
    "os.mkdir": "make",
    "os.posix_spawn": "start",
    "subprocess.Popen": "start",
}
_WRITING = os.O_WRONLY | os.O_RDWR
_PAINTED = ("gpus/proc/", "gpus/root/", "gpus/sys/")
_ASKS = "nvidia-cuda-mps-control"
"""Asks a daemon whether it is there yet, as often as it takes."""
_NO_MOMENTS = ("moments.txt", ".lock")


def operation(folder: Path, event: str, args: tuple[Any, ...]) -> tuple[str, str] | None:
    """What of this node it changes, and how; None for what is no moment."""
    if event == "os.kill":
        return None if args[0] == os.getpid() else ("process", "end")
    if event == "open":
        return _opened(folder, *args)
    if event not in _CHANGES or (event == "subprocess.Popen" and Path(str(args[0])).name == _ASKS):
        return None
    path = next((str(one) for one in _flat(args) if str(one).startswith(f"{folder}/")), "")
    name = path.removeprefix(f"{folder}/")
    is_there = event == "os.mkdir" and Path(path).is_dir()
    if not path or is_there or (name.startswith(_PAINTED) and _CHANGES[event] != "start"):
        return None
    return _named(name), _CHANGES[event]


def _opened(folder: Path, path: Any, mode: Any, flags: Any) -> tuple[str, str] | None:
    name = str(path).removeprefix(f"{folder}/")
    if name == str(path) or not isinstance(flags, int) or not flags & _WRITING or name.endswith(_NO_MOMENTS):
        return None
    if name.startswith(_PAINTED) and (mode is not None or flags & os.O_CREAT):
        return None  # only what is written to the kernel is opened so
    return _named(name), "write"


def _flat(args: tuple[Any, ...]) -> list[Any]:
    return [one for arg in args for one in (arg if isinstance(arg, list | tuple) else (arg,))]


def _named(name: str) -> str:
    """The last of the path; a temporary file is called by its place, since its name is never the same."""
    path = Path(name)
    return f"{path.parent.name}/*.tmp" if path.suffix == ".tmp" else path.name
