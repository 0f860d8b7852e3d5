"""Slicewire's parts as host processes beside the cluster, on simulated GPUs.

The publisher is who it is where it is installed: its account, and what the manifests let that do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import accounts
from tests.cluster.daemons import Daemon, wait
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import NODE, SHIFT, Cache, Home

_BIN = Path(sys.executable).parent
_NATS_PORT = 24222 + SHIFT
_REGISTERED = "kubelet has registered us"
PARTS = ("nats-server", "discovery", "allocator", "publisher", "node-prep")
GPUS = 4


@dataclass(frozen=True)
class Hardware:
    """What the node has, and the node policy by which it is offered."""

    gpus: int = GPUS
    policy: str = ""


class Parts:
    """One of each, for the one node."""

    def __init__(self, home: Home, hardware: Hardware, settings: Mapping[str, str]) -> None:
        self._home = home
        self._hardware = hardware
        self._settings = settings
        self.folder = home.root / "slicewire"
        self.daemons = {name: Daemon(f"slicewire-{name}", home.logs) for name in PARTS}
        self.url = f"nats://127.0.0.1:{_NATS_PORT}"

    def start(self, *names: str) -> None:
        for name in names or PARTS:
            self.daemons[name].start(self._command(name), self._environ())

    def start_from_nothing(self) -> None:
        """Until the kubelet knows node-prep. Raises `CannotRun`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "policy.yaml").write_text(self._hardware.policy)
        kubectl = Kubectl(Cache(), self._home)
        accounts.give(kubectl)
        accounts.kubeconfig(kubectl, self._home, accounts.PUBLISHER, self.folder / "publisher.kubeconfig")
        node_prep = self.daemons["node-prep"]
        node_prep.log.unlink(missing_ok=True)
        self.start()
        wait("node-prep is registered", lambda: _REGISTERED in node_prep.log.read_text(), node_prep)

    def kill(self, name: str) -> None:
        """kill -9, then started again as systemd or a kubelet would."""
        self.daemons[name].kill()
        self.start(name)

    def stop(self) -> None:
        for daemon in reversed(self.daemons.values()):
            daemon.stop()

    @contextmanager
    def successor_of_node_prep(self) -> Iterator[Daemon]:
        """A second instance beside the first, as while a DaemonSet is updated."""
        successor = Daemon("slicewire-node-prep-successor", self._home.logs)
        successor.start(
            self._command("node-prep"), self._environ() | {"SLICEWIRE_NODE_PREP_INSTANCE": "successor"}
        )
        try:
            yield successor
        finally:
            successor.stop()

    def befall(self, gpu: str, fault: str) -> None:
        """`slicewire simulate-fault`, as a user has it."""
        command = [str(_BIN / "slicewire"), "simulate-fault", NODE, gpu, fault, "--state", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr

    def _command(self, name: str) -> list[str]:
        if name == "nats-server":
            store = str(self.folder / "nats")
            return [str(_BIN / name), "-js", "-sd", store, "-a", "127.0.0.1", "-p", str(_NATS_PORT)]
        return [str(_BIN / f"slicewire-{name}")]

    def _environ(self) -> dict[str, str]:
        state = self.folder / "nodes" / NODE / "gpus.json"
        nvml = {"ROOM": "simulated", "STATE": str(state), "GPUS": str(self._hardware.gpus)}
        return {
            "SLICEWIRE_NATS_URL": self.url,
            "SLICEWIRE_NODE_NAME": NODE,
            "SLICEWIRE_LOG_FORMAT": "text",
            **{
                f"SLICEWIRE_{part}_NVML_{key}": value
                for part in ("DISCOVERY", "NODE_PREP")
                for key, value in nvml.items()
            },
            "SLICEWIRE_DISCOVERY_POLICY_FILE": (
                str(self.folder / "policy.yaml") if self._hardware.policy else ""
            ),
            "SLICEWIRE_ALLOCATOR_UNTOLD_NODES": "kube-scheduler",
            "SLICEWIRE_PUBLISHER_KUBECONFIG": str(self.folder / "publisher.kubeconfig"),
            "SLICEWIRE_PUBLISHER_LEASE_SECONDS": "3",
            "SLICEWIRE_PUBLISHER_LEASE_NAMESPACE": accounts.PUBLISHER[0],
            "SLICEWIRE_PUBLISHER_DEVICE_CLASSES": "false",
            "SLICEWIRE_NODE_PREP_PLUGIN_DIR": str(self._home.plugins / "gpu.nvidia.com"),
            "SLICEWIRE_NODE_PREP_REGISTRY_DIR": str(self._home.registry),
            "SLICEWIRE_NODE_PREP_CDI_ROOT": str(self._home.cdi),
            "SLICEWIRE_NODE_PREP_DEVICE_METADATA": "true",
            **self._settings,
        }


@contextmanager
def running(home: Home, hardware: Hardware, settings: Mapping[str, str]) -> Iterator[Parts]:
    """All parts, from nothing; gone with the block."""
    parts = Parts(home, hardware, settings)
    try:
        parts.start_from_nothing()
        yield parts
    finally:
        parts.stop()
