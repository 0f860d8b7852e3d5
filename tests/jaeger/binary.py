"""Jaeger from its Go module, built once, as `tests/cluster` builds Kubernetes.

`binaries/go.mod` names it as a tool; `go.sum` holds what it may be. Its module has a placeholder where the
user interface would be, which a query API does without.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

VERSION = "2.13.0"
"""Tagged in the Go module as v1.76.0: both come out of one tree."""
_PROGRAM = "github.com/jaegertracing/jaeger/cmd/jaeger"
_STAMP = f"-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v{VERSION}"
_MODULE = Path(__file__).parent / "binaries"


class CannotRun(Exception):
    """No Jaeger can run here; the message says why, and what would help."""


def path() -> Path:
    """Where it is, built or not. `JAEGER_BIN` names one that is there already."""
    if given := os.environ.get("JAEGER_BIN"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "slicewire" / f"jaeger-{VERSION}" / "bin" / "jaeger"


def ready() -> Path:
    """Raises `CannotRun` where it must be built first."""
    found = path()
    if not os.access(found, os.X_OK):
        raise CannotRun(f"no Jaeger at {found}; `python -m tests.jaeger build` builds it, in 5 minutes")
    return found


def build(say: Callable[[str], None]) -> Path:
    """What `ready` finds afterwards. Raises `CannotRun` without go, or where building fails."""
    wanted = path()
    if os.access(wanted, os.X_OK):
        return wanted
    go = shutil.which("go")
    if go is None:
        raise CannotRun("no `go` to build Jaeger with; install Go, or name a Jaeger 2 in JAEGER_BIN")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    say(f"building Jaeger {VERSION} into {wanted.parent}: about 5 minutes on 2 cores, once")
    begun = time.monotonic()
    unfinished = wanted.with_suffix(".unfinished")
    done = subprocess.run(
        [go, "build", "-trimpath", "-ldflags", f"-s -w {_STAMP}", "-o", str(unfinished), _PROGRAM],
        cwd=_MODULE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotRun(f"Jaeger cannot be built: {done.stderr.strip()[-2000:]}")
    unfinished.rename(wanted)
    say(f"built in {time.monotonic() - begun:.0f} s")
    return wanted
