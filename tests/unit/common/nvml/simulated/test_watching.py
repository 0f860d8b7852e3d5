"""Who waits for a simulated node is woken at once, and costs nothing meanwhile."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.common.nvml.simulated.watching import FolderWatch

CHANGER = """
import sys, time
from pathlib import Path
from slicewire.common.nvml.simulated.statefile import StateFile
file = StateFile(Path(sys.argv[1]))
for line in sys.stdin:
    file.change(lambda node: node.with_xid(0, int(line)))
    print(time.monotonic(), flush=True)
"""


@pytest.fixture
def nvml(tmp_path: Path) -> SimulatedNvml:
    room = SimulatedNvml(tmp_path / "node-a" / "state.json", new_node("node-a", "h100", 1))
    room.look()
    return room


def test_a_change_in_another_process_wakes_at_once(nvml: SimulatedNvml, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHANGER, str(tmp_path / "node-a" / "state.json")]
    pipe = subprocess.PIPE
    delays = []
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for code in range(1, 8):
            other.stdin.write(f"{code}\n")
            other.stdin.flush()
            assert [event.code for event in nvml.wait(10)] == [code]
            woken = time.monotonic()
            delays.append(woken - float(other.stdout.readline()))
        other.stdin.close()
    assert statistics.median(delays) < 0.02


def test_waiting_costs_nothing(nvml: SimulatedNvml) -> None:
    before = time.process_time()
    assert nvml.wait(0.3) == ()
    assert time.process_time() - before < 0.01


def test_looking_is_no_change(nvml: SimulatedNvml, tmp_path: Path) -> None:
    other = SimulatedNvml(tmp_path / "node-a" / "state.json", new_node("node-a", "h100", 1))
    looking = threading.Thread(target=other.look)
    looking.start()
    assert nvml.wait(0.1) == ()
    looking.join()


def test_who_was_woken_for_good_never_sleeps_again(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    watch.wake()
    before = time.monotonic()
    watch.wait(30)
    watch.wait(30)
    assert time.monotonic() - before < 10


def test_a_folder_that_cannot_be_watched_is_looked_at_often(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path / "not there")
    before = time.monotonic()
    watch.wait(30)
    assert time.monotonic() - before < 10
