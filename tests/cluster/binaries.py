"""Kubernetes from its Go modules, built once.

`binaries/go.mod` names the programs as tools, with the replace lines that a release of Kubernetes
needs; `go.sum` holds what they may be. CoreDNS is a module beside it: it wants other libraries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.places import VERSION, Cache, CannotRun

MODULE = Path(__file__).parent / "binaries"
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "coredns": "slicewire.dev/tests/cluster/binaries/dns",
}
_MAJOR, _MINOR, _ = VERSION.split(".")
_STAMPS = {
    "k8s.io/component-base/version.gitVersion": f"v{VERSION}",
    "k8s.io/component-base/version.gitMajor": _MAJOR,
    "k8s.io/component-base/version.gitMinor": _MINOR,
}


def missing(cache: Cache) -> list[str]:
    return [name for name in PROGRAMS if not os.access(cache.binaries / name, os.X_OK)]


def build(cache: Cache, say: Callable[[str], None]) -> None:
    """What is not there yet. Raises `CannotRun` without go, or where building fails."""
    wanted = missing(cache)
    if not wanted:
        return
    if os.environ.get("KUBE_BIN"):
        raise CannotRun(f"KUBE_BIN={cache.binaries} has no {', '.join(wanted)}")
    go = shutil.which("go")
    if go is None:
        raise CannotRun(
            "no `go` to build Kubernetes with; install Go, or name a folder of its programs in KUBE_BIN"
        )
    cache.binaries.mkdir(parents=True, exist_ok=True)
    say(f"building Kubernetes {VERSION} into {cache.binaries}: about 10 minutes on 2 cores, once")
    for number, name in enumerate(wanted, 1):
        begun = time.monotonic()
        _build(go, name, cache.binaries)
        say(f"[{number}/{len(wanted)}] {name} ({time.monotonic() - begun:.0f} s)")


def _build(go: str, name: str, into: Path) -> None:
    stamps = " ".join(f"-X {variable}={value}" for variable, value in _STAMPS.items())
    unfinished = into / f"{name}.unfinished"
    done = subprocess.run(
        [go, "build", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", str(unfinished), PROGRAMS[name]],
        cwd=MODULE / "dns" if name == "coredns" else MODULE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotRun(f"{name} cannot be built: {done.stderr.strip()[-2000:]}")
    unfinished.rename(into / name)
