"""The cluster, Slicewire beside it, and a clean namespace for each test."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.cluster import slicewire
from tests.cluster.__main__ import down, ready, up
from tests.cluster.daemons import wait
from tests.cluster.kubectl import EXAMPLES, SECONDS, Kubectl
from tests.cluster.places import NODE, Cache, CannotRun, Home
from tests.cluster.slicewire import Hardware, Parts


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Brought up for these tests, unless it is up; then it stays up. One run at a time has it."""
    cache, home = Cache(), Home()
    was_up = home.kubeconfig.exists()
    try:
        ready(cache, home)
        with _alone(home):
            up(cache, home)
            yield home
            if not was_up:
                down(cache, home)
    except CannotRun as reason:
        pytest.skip(f"no cluster: {reason}")


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with home.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def kubectl(home: Home) -> Kubectl:
    kubectl = Kubectl(Cache(), home)
    kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")  # a controller makes it
    kubectl.apply(list(yaml.safe_load_all((EXAMPLES / "deviceclasses.yaml").read_text())))
    return kubectl


@pytest.fixture
def hardware() -> Hardware:
    """A test file that needs another node has a fixture of this name."""
    return Hardware()


@pytest.fixture
def parts(home: Home, kubectl: Kubectl, hardware: Hardware) -> Iterator[Parts]:
    """Slicewire from nothing on a cluster without claims; what it made is gone afterwards."""
    kubectl("delete", "resourceslices", "--all")
    with slicewire.running(home, hardware) as parts:
        slices = ("resourceslices", "--for=create", f"--timeout={SECONDS}s", "--field-selector")
        kubectl("wait", *slices, f"spec.nodeName={NODE}")
        yield parts
        kubectl("delete", "pods,resourceclaims,resourceclaimtemplates", "--all", f"--timeout={SECONDS}s")
        kubectl("label", "node", NODE, "slicewire.dev/allocation-")
        wait("every claim is unprepared", lambda: not list(home.cdi.iterdir()), parts.daemons["node-prep"])
