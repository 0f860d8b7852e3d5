"""What was found wrong outlives the agent; a file that is spoilt costs the memory and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.findings import Finding, Health
from slicewire.discovery.core.health.lasting import Offer
from slicewire.discovery.core.health.vitals import Life, Presence, Vital
from slicewire.discovery.remembering import Memory, Remembered
from tests.unit.discovery.health.stories import device

FOUND = Remembered(
    Health(
        findings=(
            Finding(ailment=Ailment.XID, gpu="GPU-0", value="79", since=5, quiet_since=7),
            Finding(ailment=Ailment.LOST, gpu="GPU-1", value="gone", since=6),
        ),
        vitals=(
            Vital(gpu="GPU-0", bus_id="0000:1a:00.0", uncorrected=3, remap_pending=False),
            Vital(gpu="GPU-1", bus_id="0000:1b:00.0", presence=Presence.GONE),
        ),
        life=Life("boot", "7"),
    ),
    Offer((device("gpu-1", bus="0000:1b:00.0", uuid="GPU-1"),)),
)


def test_what_one_agent_kept_the_next_recalls(tmp_path: Path) -> None:
    file = tmp_path / "made" / "health.json"
    Memory(file).keep(FOUND)
    assert Memory(file).recall() == FOUND
    assert os.listdir(file.parent) == [file.name]  # noqa: PTH208 - hidden files too


def test_without_a_file_or_a_path_nothing_is_recalled(tmp_path: Path) -> None:
    assert Memory(tmp_path / "health.json").recall() is None
    nowhere = Memory()
    nowhere.keep(FOUND)
    assert nowhere.recall() is None


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b"\xff",
        b'{"version": 2}',
        b'{"health": {"findings": [{"ailment": "xid", "gpu": "G", "value": "x", "since": 1}]}}',
    ],
)
def test_a_spoilt_file_is_said_and_written_anew(
    tmp_path: Path, spoilt: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "health.json"
    file.write_bytes(spoilt)
    memory = Memory(file)
    assert memory.recall() is None
    assert "health file cannot be read" in caplog.text
    memory.keep(FOUND)
    assert Memory(file).recall() == FOUND


def test_a_pipe_in_its_place_is_not_waited_for_and_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "health.json"
    os.mkfifo(file)
    memory = Memory(file)
    assert memory.recall() is None
    assert "health file cannot be read" in caplog.text
    memory.keep(FOUND)
    assert Memory(file).recall() == FOUND


def test_the_same_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    memory = Memory(file)
    memory.keep(FOUND)
    file.unlink()
    memory.keep(FOUND)
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    memory = Memory(blocked / "health.json")
    memory.keep(FOUND)
    assert "health file cannot be written" in caplog.text
    blocked.unlink()
    memory.keep(FOUND)
    assert memory.recall() == FOUND
