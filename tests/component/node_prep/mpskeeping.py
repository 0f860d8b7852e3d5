"""The keeper of MPS control daemons as a process of its own, and a node that asks it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from slicewire.node_prep.mpsasking import Answer, socket_of
from slicewire.node_prep.processes import Running
from tests.component.node_prep.mps import bench
from tests.component.node_prep.workbench import Workbench

_LISTENS = "MPS keeper listens"
_ENDED_SECONDS = 10.0


def command(plugin_dir: Path, driver_root: Path) -> subprocess.Popen[str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("SLICEWIRE_")}
    settings = {"PLUGIN_DIR": str(plugin_dir), "DRIVER_ROOT": str(driver_root)}
    return subprocess.Popen(
        [sys.executable, "-m", "slicewire.node_prep.mpskeeper"],
        env=others | {f"SLICEWIRE_NODE_PREP_{name}": value for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def keeper(plugin_dir: Path, driver_root: Path) -> Iterator[subprocess.Popen[str]]:
    """It listens; killed at the end."""
    plugin_dir.mkdir(parents=True, exist_ok=True)
    with command(plugin_dir, driver_root) as process:
        try:
            assert process.stderr is not None
            assert any(_LISTENS in line for line in process.stderr)
            yield process
        finally:
            process.kill()
            process.wait(_ENDED_SECONDS)


@contextmanager
def kept(folder: Path) -> Iterator[Workbench]:
    """A node that asks a keeper; none runs yet."""
    with bench(folder) as node:
        node.mps = msgspec.structs.replace(node.mps, keeper=socket_of(node.mps.root.parent))
        node.preparation = node.another()
        node.gpu()  # looked at, a simulated node has its driver's files
        yield node


@contextmanager
def kept_by(node: Workbench) -> Iterator[subprocess.Popen[str]]:
    with keeper(node.mps.root.parent, node.nvml.driver_root) as process:
        yield process


def said(node: Workbench, request: bytes) -> Answer:
    """To a request of any bytes."""
    assert node.mps.keeper is not None
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ENDED_SECONDS)
        asking.connect(str(node.mps.keeper))
        asking.sendall(request)
        with asking.makefile("rb") as answers:
            return msgspec.json.decode(answers.readline(), type=Answer)


def parent(process: Running) -> int:
    """Who started it, and still lives."""
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])
