"""deploy/hosts/install.sh and remove.sh, killed in the middle, in a root file system of their own.

systemd is not there: `systemctl` notes what it is asked.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.partimages import ROOT, Kitchen, entered
from tests.cluster.places import Cache, CannotRun
from tests.cluster.polling import comes_true

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
_SYSTEMCTL = '#!/bin/sh\necho "$@" >> /systemctl.log\n'
_NATS = "opt/slicewire/nats"
Machine = Path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Debian with Python, the checkout in `/source`."""
    if os.geteuid() != 0:
        pytest.skip("no machine: a root file system is entered by root")
    kitchen = Kitchen(Cache())
    stage = tmp_path / "machine"
    try:
        kitchen.stage("nats", ROOT, stage)
    except CannotRun as reason:
        pytest.skip(f"no machine: {reason}")
    shutil.copytree(ROOT / "deploy/hosts", stage / "source/deploy/hosts")
    (stage / "usr/bin/systemctl").write_text(_SYSTEMCTL)
    (stage / "usr/bin/systemctl").chmod(0o755)
    yield stage
    shutil.rmtree(stage)


def run(machine: Machine, script: str) -> str:
    done = subprocess.run(entered(machine, script), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def killed(machine: Machine, script: str, moment: Callable[[], bool]) -> None:
    """Started, and at that moment ended with everything that it started."""
    going = subprocess.Popen(entered(machine, script), start_new_session=True)
    assert comes_true(moment, 60, is_hopeless=lambda: going.poll() is not None), "it was over before"
    os.killpg(going.pid, signal.SIGKILL)
    going.wait()


def versions(machine: Machine) -> list[str]:
    return [each.name for each in (machine / "opt/slicewire/versions").iterdir()]


INSTALL = "/source/deploy/hosts/install.sh nats"
REMOVE = "/source/deploy/hosts/remove.sh"
RUNS = f"/{_NATS}/bin/nats-server --version"


def test_killed_while_it_installs_it_installs_the_second_time(machine: Machine) -> None:
    started = machine / "opt/slicewire/versions"
    killed(machine, INSTALL, lambda: any(started.glob("*/bin/python")))
    assert not (machine / _NATS).is_symlink()
    run(machine, INSTALL)
    assert "nats-server" in run(machine, RUNS)
    assert len(versions(machine)) == 1
    assert (machine / "etc/slicewire/nats.conf").exists()
    assert "restart slicewire.target" in (machine / "systemctl.log").read_text()


def test_killed_while_it_upgrades_the_version_of_before_still_runs(machine: Machine) -> None:
    run(machine, INSTALL)
    (machine / "etc/slicewire/nats.conf").write_text("# mine\n")
    before = versions(machine)
    killed(machine, INSTALL, lambda: len(versions(machine)) > 2)
    assert "nats-server" in run(machine, RUNS)
    run(machine, INSTALL)
    assert "nats-server" in run(machine, RUNS)
    assert len(versions(machine)) == 1
    assert versions(machine) != before
    assert (machine / "etc/slicewire/nats.conf").read_text() == "# mine\n"


def test_killed_while_it_removes_it_removes_the_second_time(machine: Machine) -> None:
    run(machine, INSTALL)
    many = machine / "opt/slicewire/versions/many"
    many.mkdir()
    for number in range(20_000):  # so that there is time to kill it
        (many / str(number)).touch()
    killed(machine, REMOVE, lambda: not (many / "0").exists() or not (many / "19999").exists())
    run(machine, REMOVE)
    assert not (machine / "opt/slicewire").exists()
    assert not list((machine / "etc/systemd/system").glob("slicewire*"))
    assert (machine / "etc/slicewire/nats.conf").exists()
    run(machine, f"{REMOVE} --state")
    assert not (machine / "etc/slicewire").exists()
