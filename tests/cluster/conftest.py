"""The cluster, Slicewire beside it, and a clean namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import binaries, slicewire
from tests.cluster.__main__ import down, up
from tests.cluster.kubectl import _EXAMPLES, SECONDS, Kubectl
from tests.cluster.places import NODE, Cache, CannotRun, Home
from tests.cluster.slicewire import Parts


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Brought up for these tests, unless it is up; then it stays up."""
    cache, home = Cache(), Home()
    if missing := binaries.missing(cache):
        pytest.skip(f"no cluster: {', '.join(missing)} not built; `make cluster` builds them, in 10 minutes")
    was_up = home.kubeconfig.exists()
    try:
        up(cache, home)
    except CannotRun as reason:
        pytest.skip(f"no cluster: {reason}")
    yield home
    if not was_up:
        down(cache, home)


@pytest.fixture(scope="session")
def kubectl(home: Home) -> Kubectl:
    kubectl = Kubectl(Cache(), home)
    kubectl.apply(list(yaml.safe_load_all((_EXAMPLES / "deviceclasses.yaml").read_text())))
    return kubectl


@pytest.fixture
def parts(home: Home, kubectl: Kubectl) -> Iterator[Parts]:
    """Slicewire from nothing on a cluster without claims; what it made is gone afterwards."""
    with slicewire.running(home) as parts:
        slices = ("resourceslices", "--for=create", f"--timeout={SECONDS}s", "--field-selector")
        kubectl("wait", *slices, f"spec.nodeName={NODE}")
        yield parts
        for kind in ("pods", "resourceclaims", "resourceclaimtemplates"):
            kubectl("delete", kind, "--all", "--wait=true", f"--timeout={SECONDS}s")
        kubectl("label", "node", NODE, "slicewire.dev/allocation-")
        kubectl("delete", "resourceslices", "--all")
