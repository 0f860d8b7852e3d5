"""python -m tests.cluster up | down | status | ready | build"""

from __future__ import annotations

import os
import shutil
import sys
import time

from tests.cluster import binaries, control_plane, debian, node
from tests.cluster.places import NODE, VERSION, Cache, CannotRun, Home


def up(cache: Cache, home: Home) -> None:
    """Raises `CannotRun`."""
    begun = time.monotonic()
    build(cache, home)
    _say("starting etcd, API server, controller manager and scheduler")
    control_plane.start(cache, home)
    _say("starting containerd and kubelet")
    node.start(cache, home)
    _say(f"Kubernetes {VERSION} with node {NODE} is up ({time.monotonic() - begun:.1f} s)")
    _say(f"  export KUBECONFIG={home.kubeconfig} PATH={cache.binaries}:$PATH")
    _say("  make cluster-down   stops it and leaves nothing behind")


def build(cache: Cache, _home: Home) -> None:
    """What `up` builds the first time; what was built before it was cut short stays. Raises `CannotRun`."""
    _must_be_root()
    binaries.build(cache, _say)
    debian.unpack(cache, _say)


def down(cache: Cache, home: Home) -> None:
    node.stop(cache, home)
    for daemon in reversed(control_plane.daemons(home)):
        daemon.stop()
    shutil.rmtree(home.root, ignore_errors=True)
    _say(f"stopped; {home.root} is gone, {cache.root} stays for the next time")


def status(cache: Cache, home: Home) -> None:
    for daemon in (*control_plane.daemons(home), *node.daemons(home)):
        _say(f"{daemon.name:24} {'pid ' + str(daemon.pid) if daemon.pid else 'not running'}  {daemon.log}")
    for name in binaries.missing(cache):
        _say(f"{name} is not built yet")


def ready(cache: Cache, home: Home) -> None:
    """Whether `up` takes seconds. Raises `CannotRun` where it must build first, or is not allowed to."""
    _must_be_root()
    if missing := binaries.missing(cache):
        raise CannotRun(f"{', '.join(missing)} not built; `make cluster` builds them, in 10 minutes")


def _must_be_root() -> None:
    if os.geteuid() != 0:
        raise CannotRun("a kubelet must be root, and you are not; run it as root")


def _say(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str]) -> int:
    commands = {"up": up, "down": down, "status": status, "ready": ready, "build": build}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(f"usage: python -m tests.cluster {{{'|'.join(commands)}}}", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]](Cache(), Home())
    except CannotRun as reason:
        print(f"no cluster: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
