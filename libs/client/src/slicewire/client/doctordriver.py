"""Is NVIDIA's driver well on this node? Asked through the NVML door, in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from slicewire.client.doctorfindings import Finding, counted, error, fine, named, warn
from slicewire.common.nvml.facts import NodeFacts, NvmlAbsent
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.common.settings import BadSettings

_LOOK_SECONDS = 8.0
_NODES = ("dev/nvidiactl", "dev/nvidia-uvm")


async def driver_findings(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """A driver that hangs is a finding too; the thread that asked it is left behind."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await asyncio.to_thread(lambda: tuple(_looked(environ)))
    except TimeoutError:
        return (
            error(
                "driver",
                f"NVML has not answered within {_LOOK_SECONDS:g} s",
                "A GPU or its driver hangs: what was told last is what everybody believes.",
                "Look at dmesg for Xid messages; the node most often has to be started anew.",
            ),
        )


def _choice(environ: Mapping[str, str]) -> NvmlSettings:
    """As the node's agents are told."""
    for part in ("NODE_PREP", "DISCOVERY"):
        state = environ.get(f"SLICEWIRE_{part}_NVML_STATE", "")
        if environ.get(f"SLICEWIRE_{part}_NVML_ROOM") == "simulated" and Path(state).is_file():
            return NvmlSettings(room="simulated", state=state)
        library = environ.get(f"SLICEWIRE_{part}_NVML_LIBRARY", "")
        root = environ.get(f"SLICEWIRE_{part}_DRIVER_ROOT", "") or "/"
        if library or root != "/":
            return NvmlSettings(room="real", library=library, driver_root=root)
    return NvmlSettings(room="real")


def _looked(environ: Mapping[str, str]) -> Iterator[Finding]:
    choice = _choice(environ)
    try:
        with closing(open_nvml(choice)) as nvml:
            facts, root = nvml.look(), nvml.driver_root
    except (BadSettings, ImportError) as fault:
        yield _absent(str(fault))
        return
    if isinstance(facts, NvmlAbsent):
        yield _absent(facts.reason)
        return
    yield from _seen(facts)
    if missing := [f"/{name}" for name in _NODES if not (root / name).exists()]:
        yield warn(
            "driver",
            f"{named(missing)} {'is' if len(missing) == 1 else 'are'} not there (below {root})",
            "A container that needs it is not started.",
            "nvidia-modprobe -c0 -u makes them; nvidia-persistenced keeps them.",
        )


def _absent(reason: str) -> Finding:
    return error(
        "driver",
        reason,
        "No GPU of this node is told, and none can be prepared.",
        "Install or load the driver (nvidia-smi must work), or set SLICEWIRE_NODE_PREP_DRIVER_ROOT.",
    )


def _seen(facts: NodeFacts) -> Iterator[Finding]:
    what = f"driver {facts.driver_version}, {counted(len(facts.gpus), 'GPU')}"
    yield fine("driver", what)
    if facts.unseen:
        yield error(
            "driver",
            f"{counted(len(facts.unseen), 'GPU')} cannot be read: "
            + named([one.reason for one in facts.unseen]),
            "It has a fault, or has fallen off the bus.",
            "dmesg names the Xid; docs/health.md says what it means.",
        )
