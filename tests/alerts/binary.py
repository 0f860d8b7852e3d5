"""Prometheus from Debian's package, unpacked beside the system as `tests/cluster` unpacks containerd."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("prometheus", "promtool")


class CannotRun(Exception):
    """No Prometheus can run here; the message says why, and what would help."""


def folder() -> Path:
    """Where the programs are, unpacked or not. Safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "slicewire" / "prometheus" / "usr" / "bin"


def found(name: str) -> str | None:
    """A program of `PROGRAMS`: the machine's own, or the one that was unpacked."""
    return shutil.which(name) or shutil.which(name, path=str(folder()))


def build(say: Callable[[str], None]) -> None:
    """What `found` finds afterwards. Raises `CannotRun` where Debian's packages cannot be had."""
    if all(map(found, PROGRAMS)):
        return
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise CannotRun(f"no {program}: Prometheus comes from a Debian package")
    root = folder().parents[1]
    root.parent.mkdir(parents=True, exist_ok=True)
    say(f"unpacking Prometheus into {root}")
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "prometheus", at=scratch)
        package = next(Path(scratch).glob("prometheus_*.deb"))
        _run("dpkg-deb", "-x", str(package), f"{scratch}/unpacked", at=scratch)
        shutil.rmtree(root, ignore_errors=True)
        Path(scratch, "unpacked").rename(root)


def _run(*command: str, at: str) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(command)}` failed (`apt-get update`?): {done.stderr.strip()[-500:]}")
