"""Which MPS a node offers, by its settings."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from slicewire.node_prep.executors import MpsHere
from slicewire.node_prep.mpsasking import socket_of
from slicewire.node_prep.settings import Settings


def mps_here(settings: Settings) -> MpsHere:
    """Raises `BadSettings`."""
    root = Path(settings.plugin_dir) / "mps"
    match settings.mps:
        case "process":
            return MpsHere(root=root)
        case "off":
            reason = f"MPS is turned off on node {settings.node_name}: SLICEWIRE_NODE_PREP_MPS=off"
            return MpsHere(root=root, refused_because=reason)
        case "pod":
            return MpsHere(root=root, keeper=socket_of(Path(settings.plugin_dir)))
        case never:
            assert_never(never)
