"""Every service as a process of its own, on a health port that somebody else has."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.component.client.command import ENVIRON

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("part", ["allocator", "discovery", "node-prep", "publisher"])
def test_a_health_port_in_use_is_one_line_and_status_2(part: str, tmp_path: Path) -> None:
    folders = {name: str(tmp_path / name[0]) for name in ("PLUGIN_DIR", "REGISTRY_DIR", "CDI_ROOT")}
    own = {f"SLICEWIRE_NODE_PREP_{name}": folder for name, folder in folders.items()}
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [Path(sys.executable).parent / f"slicewire-{part}"],
            env={**ENVIRON, **(own if part == "node-prep" else {}), "SLICEWIRE_HEALTH_PORT": port},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    expected = f"SLICEWIRE_HEALTH_PORT='{port}': Address already in use\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", expected)
