"""Slicewire's parts as host processes beside the cluster, on simulated GPUs."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.daemons import Daemon
from tests.cluster.places import NODE, Home

_BIN = Path(sys.executable).parent
_NATS_PORT = 24222
_NULL = os.makedev(1, 3)
_CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
PARTS = ("nats-server", "discovery", "allocator", "publisher", "node-prep")
GPUS = 4


class Parts:
    """One of each, for the one node."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.folder = home.root / "slicewire"
        self.daemons = {name: Daemon(f"slicewire-{name}", home.logs) for name in PARTS}
        self.url = f"nats://127.0.0.1:{_NATS_PORT}"

    def start(self, *names: str) -> None:
        for name in names or PARTS:
            self.daemons[name].start(self._command(name), self._environ())

    def kill(self, name: str) -> None:
        """kill -9, then started again as systemd or a kubelet would."""
        self.daemons[name].kill()
        self.start(name)

    def stop(self) -> None:
        for daemon in reversed(self.daemons.values()):
            daemon.stop()

    def plant(self) -> None:
        """Device nodes that a container runtime can put into a container: each is `/dev/null`."""
        dev = self.folder / "root" / "dev"
        dev.mkdir(parents=True, exist_ok=True)
        for name in (*_CONTROL_NODES, *(f"nvidia{minor}" for minor in range(GPUS))):
            os.mknod(dev / name, stat.S_IFCHR | 0o666, _NULL)

    def _command(self, name: str) -> list[str]:
        if name == "nats-server":
            store = str(self.folder / "nats")
            return [str(_BIN / name), "-js", "-sd", store, "-a", "127.0.0.1", "-p", str(_NATS_PORT)]
        return [str(_BIN / f"slicewire-{name}")]

    def _environ(self) -> dict[str, str]:
        nvml = {"ROOM": "simulated", "STATE": str(self.folder / "nvml.json"), "GPUS": str(GPUS)}
        return {
            "SLICEWIRE_NATS_URL": self.url,
            "SLICEWIRE_NODE_NAME": NODE,
            "SLICEWIRE_LOG_FORMAT": "text",
            **{
                f"SLICEWIRE_{part}_NVML_{key}": value
                for part in ("DISCOVERY", "NODE_PREP")
                for key, value in nvml.items()
            },
            "SLICEWIRE_ALLOCATOR_UNTOLD_NODES": "kube-scheduler",
            "SLICEWIRE_PUBLISHER_KUBECONFIG": str(self._home.kubeconfig),
            "SLICEWIRE_PUBLISHER_LEASE_SECONDS": "3",
            "SLICEWIRE_NODE_PREP_PLUGIN_DIR": str(self._home.plugins / "gpu.nvidia.com"),
            "SLICEWIRE_NODE_PREP_REGISTRY_DIR": str(self._home.registry),
            "SLICEWIRE_NODE_PREP_CDI_ROOT": str(self._home.cdi),
        }


@contextmanager
def running(home: Home) -> Iterator[Parts]:
    """All parts, from nothing; gone with the block."""
    parts = Parts(home)
    shutil.rmtree(parts.folder, ignore_errors=True)
    parts.plant()
    parts.start()
    try:
        yield parts
    finally:
        parts.stop()
