"""Which boot of the machine this is. After another one, nothing of what was set on a GPU is left."""

from __future__ import annotations

from pathlib import Path

from slicewire.node_prep.kernelfiles import text


def boot_id(sysfs_root: Path) -> str:
    """Another one after every boot; empty where the machine does not say, as a simulated one."""
    return text(sysfs_root / "proc/sys/kernel/random/boot_id")
