"""Cluster tests are skipped aloud where no cluster can run, and fail where one can and does not come up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.binaries import PROGRAMS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ANY = "tests/cluster/test_upgrade.py"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a machine with nothing on it that a cluster needs."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return {"PATH": str(empty), "XDG_CACHE_HOME": str(tmp_path), "KUBE_DIR": str(tmp_path / "cluster")}


def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", ANY, "-p", "no:xdist", "-p", "no:cacheprovider"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_where_it_is_not_built_they_are_skipped_aloud(environ: dict[str, str]) -> None:
    done = run(environ)
    assert done.returncode == 0, done.stdout
    assert "!!! CLUSTER TESTS SKIPPED: " in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets so far")
def test_where_it_is_built_and_does_not_come_up_they_fail(environ: dict[str, str], tmp_path: Path) -> None:
    built = tmp_path / "bin"
    built.mkdir()
    for name in PROGRAMS:
        (built / name).write_text("#!/bin/false\n")
        (built / name).chmod(0o755)
    done = run(environ | {"KUBE_BIN": str(built)})
    assert done.returncode == 1, done.stdout
    assert "the cluster does not come up: " in done.stdout
    assert "SKIPPED" not in done.stdout
