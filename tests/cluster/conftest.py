"""The cluster, Slicewire beside it, and a clean namespace for each test."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import yaml

from tests.cluster import slicewire
from tests.cluster.__main__ import down, ready, up
from tests.cluster.daemons import wait
from tests.cluster.kubectl import EXAMPLES, SECONDS, Kubectl
from tests.cluster.places import NODE, Cache, CannotRun, Home
from tests.cluster.slicewire import Hardware, Parts

_NO_CLUSTER = "no cluster: "


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Brought up for these tests, unless it is up; then it stays up. One run at a time has it.

    Where it cannot run the tests are skipped, aloud; where it can, and does not come up, they fail.
    """
    cache, home = Cache(), Home()
    try:
        ready(cache, home)
    except CannotRun as reason:
        pytest.skip(f"{_NO_CLUSTER}{reason}")
    was_up = home.kubeconfig.exists()
    with _alone(home):
        try:
            up(cache, home)
        except CannotRun as reason:
            pytest.fail(f"the cluster does not come up: {reason}", pytrace=False)
        yield home
        if not was_up:
            down(cache, home)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for reason in reasons:
        if _NO_CLUSTER in reason:
            why = reason.partition(_NO_CLUSTER)[2].rstrip("')")
            terminalreporter.write_line(f"!!! CLUSTER TESTS SKIPPED: {why}", red=True, bold=True)
            return


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
def settings() -> Mapping[str, str]:
    """What else the parts are told: a test file that wants it has a fixture of this name."""
    return {}


@pytest.fixture
def parts(home: Home, kubectl: Kubectl, hardware: Hardware, settings: Mapping[str, str]) -> Iterator[Parts]:
    """Slicewire from nothing on a cluster without claims; what it made is gone afterwards."""
    kubectl("delete", "resourceslices", "--all")
    with slicewire.running(home, hardware, settings) as parts:
        slices = ("resourceslices", "--for=create", f"--timeout={SECONDS}s", "--field-selector")
        kubectl("wait", *slices, f"spec.nodeName={NODE}")
        yield parts
        kubectl("delete", "pods,resourceclaims,resourceclaimtemplates", "--all", f"--timeout={SECONDS}s")
        kubectl("label", "node", NODE, "slicewire.dev/allocation-")
        wait("every claim is unprepared", lambda: not list(home.cdi.iterdir()), parts.daemons["node-prep"])
