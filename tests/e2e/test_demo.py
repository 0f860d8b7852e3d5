"""`make demo`, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
ROOT = Path(__file__).parent.parent.parent


def test_the_demo_shows_every_step_and_exits_0() -> None:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for step in (
        "devices discovered",
        "ResourceSlices published",
        "claims of 8 gated pods allocated",
        "prepared over the kubelet's gRPC sockets, v1.DRAPlugin",
        "every device free again",
        "one trace",
        "every step above really happened",
    ):
        assert step in done.stdout
