"""Where the cluster is: what is built once and kept, and what one cluster lives on."""

from __future__ import annotations

import os
from pathlib import Path

VERSION = "1.36.3"
NODE = "node-a"
SHIFT = int(os.environ.get("KUBE_SHIFT", "0"))
"""Of a second cluster beside the first, in another KUBE_DIR: it has other ports and addresses."""
NODE_ADDRESS = f"10.99.{SHIFT}.1"
"""The node's own address, on the loopback device: a host's first address may be anything."""
API_PORT, ETCD_PORT, ETCD_PEER_PORT, KUBELET_PORT = (port + SHIFT for port in (26443, 23790, 23800, 20250))
DOMAIN = "cluster.local"


class CannotRun(Exception):
    """No cluster can run here; the message says why, and what would help."""


class Cache:
    """Built or unpacked once; safe to delete, it is made again."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        self.root = Path(base) / "slicewire" / f"kubernetes-{VERSION}"
        self.binaries = Path(os.environ.get("KUBE_BIN") or self.root / "bin")
        self.debian = self.root / "debian"


class Home:
    """One running cluster. `/var/lib` and not `/tmp`: an overlay's upper layers want a real disk."""

    def __init__(self) -> None:
        # Short: below it are sockets with the UID of a pod in their name, and Linux allows 107 bytes.
        self.root = Path(os.environ.get("KUBE_DIR", "/var/lib/sw-cluster"))
        self.cgroup = f"{self.root.name}-pods"
        self.lock = self.root.with_suffix(".lock")
        self.kubeconfig = self.root / "admin.kubeconfig"
        self.kubelet = self.root / "kubelet"
        self.plugins = self.kubelet / "plugins"
        self.registry = self.kubelet / "plugins_registry"
        self.cdi = self.root / "cdi"
        self.containerd = self.root / "containerd"
        self.socket = self.containerd / "containerd.sock"
        self.certificates = self.root / "certificates"
        self.logs = self.root / "logs"
