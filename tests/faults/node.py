"""What of a node a claim can change: looked at before it, while it is prepared, and after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from slicewire.node_prep import files
from slicewire.node_prep.mpscontrol import Daemon, program_of
from tests.component.node_prep.harness import Disk

_CHANGEABLE = (
    "migEnabled",
    "migPending",
    "instances",
    "computeMode",
    "timeSlice",
    "kernelDriver",
    "persistence",
)


class Node(msgspec.Struct, frozen=True):
    gpus: Any
    cdi: dict[str, str]
    claims: tuple[str, ...]
    described: tuple[str, ...]
    daemons: tuple[str, ...]
    reserved: tuple[str, ...]
    leftovers: tuple[str, ...]


def seen(folder: Path) -> Node:
    disk = Disk(folder)
    state = json.loads(disk.state.read_bytes())
    present = disk.cdi_files
    ours = {name for name in present if name.endswith(".json")}
    others = (path.name for path in folder.glob("plugin/*") if path.name.endswith(".tmp"))
    return Node(
        gpus=[{field: gpu.get(field) for field in _CHANGEABLE} for gpu in state["gpus"]],
        cdi={name: (disk.cdi_root / name).read_text().replace(str(folder), "") for name in ours},
        claims=tuple(disk.entries) if disk.checkpoint.exists() else (),
        described=tuple(sorted(path.name for path in folder.glob("plugin/dra-device-metadata/*/*"))),
        daemons=tuple(_daemons(disk)),
        reserved=tuple(_reserved(folder)),
        leftovers=(*sorted(set(present) - ours), *others),
    )


def difference(seen: Node, wanted: Node) -> str:
    return "; ".join(
        f"{field} is {getattr(seen, field)}, not {getattr(wanted, field)}"
        for field in seen.__struct_fields__
        if getattr(seen, field) != getattr(wanted, field)
    )


def _daemons(disk: Disk) -> Iterator[str]:
    """Every folder of an MPS control daemon: how many processes there are, what it was told, and how much
    of a GPU it says that a process may have."""
    names = files.names(disk.mps.root)
    if not names:
        return
    with closing(disk.open_nvml()) as nvml:
        program = program_of(nvml.driver_root)
    for name in names:
        daemon = Daemon(disk.mps.root / name, program)
        running, known = len(tuple(daemon.running())), daemon.configured()
        told = "" if known is None else msgspec.json.encode(known.step).decode()
        says = daemon.ask("get_default_active_thread_percentage").strip() if running else ""
        yield f"{name}: {running} running, {told}, {says}"


def _reserved(folder: Path) -> Iterator[str]:
    """GPUs that only one driver may have."""
    for file in sorted(folder.glob("gpus/sys/bus/pci/devices/*/driver_override")):
        if driver := file.read_text().strip():
            yield f"{file.parent.name} for {driver}"
