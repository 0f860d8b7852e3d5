"""The real room, on a library that fails as told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import Event, EventKind, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.real import RealNvml
from slicewire.common.nvml.refusal import NvmlCode
from tests.nvmlstub import built


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def nvml(library: Path) -> Iterator[RealNvml]:
    opened = RealNvml(str(library))
    yield opened
    opened.close()


def _facts(nvml: RealNvml) -> NodeFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts), facts
    return facts


def test_facts_are_what_nvml_says(nvml: RealNvml) -> None:
    facts = _facts(nvml)
    first = facts.gpus[0]
    assert (facts.driver_version, facts.cuda_driver_version) == ("580.126.20", "13.0")
    assert first.pci_bus_id == "00000000:1A:00.0"
    assert (first.brand, first.architecture, first.cuda_compute_capability) == ("Nvidia", "Hopper", "9.0")
    assert first.memory_bytes == 81559 * 1024**2


def test_what_a_gpu_or_driver_does_not_have_is_left_out_not_an_error(nvml: RealNvml) -> None:
    second = _facts(nvml).gpus[1]
    assert second.memory_bytes is None  # NVML: not supported
    assert second.addressing_mode is None  # the library has no such function
    assert second.brand == "Unknown"  # a number newer than we are


def test_a_lost_gpu_is_unseen_and_the_other_is_read(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STUB_LOST", "0")
    facts = _facts(nvml)
    assert [gpu.minor for gpu in facts.gpus] == [1]
    assert facts.unseen == (
        Unseen("GPU with NVML index 0", "reading handle: GPU is lost", code=NvmlCode.LOST),
    )


def test_a_gpu_that_answers_in_part_is_unseen_with_the_question_and_its_place(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVML_STUB_ODD", "1")
    (unseen,) = _facts(nvml).unseen
    assert unseen == Unseen(
        "GPU with NVML index 1", "reading name: Unknown Error", "00000000:1B:00.0", NvmlCode.UNKNOWN
    )


def test_mig_mode_is_seen(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STUB_MIG", "1")
    assert [gpu.mig_enabled for gpu in _facts(nvml).gpus] == [False, True]


def test_a_driver_that_comes_late_is_seen_when_it_comes(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVML_STUB_INIT", "9")
    assert nvml.look() == NvmlAbsent("reading NVML: Driver Not Loaded")
    monkeypatch.setenv("NVML_STUB_INIT", "")
    assert len(_facts(nvml).gpus) == 2


def test_a_library_that_comes_late_is_found_below_the_driver_root(library: Path, tmp_path: Path) -> None:
    nvml = RealNvml(driver_root=tmp_path)
    assert isinstance(nvml.look(), NvmlAbsent)
    folder = tmp_path / "usr" / "lib64"
    folder.mkdir(parents=True)
    (folder / library.name).write_bytes(library.read_bytes())
    assert len(_facts(nvml).gpus) == 2
    nvml.close()


def test_events_that_wait_are_heard_together(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.look()
    monkeypatch.setenv("NVML_STUB_XIDS", "2")
    xid = Event(EventKind.XID, "GPU-00000000-0000-0000-0000-000000000001", 79, gpu_instance=3)
    assert nvml.wait(5) == (xid, xid)


def test_mig_devices_made_by_hand_are_an_event(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.look()
    monkeypatch.setenv("NVML_STUB_CUT", "1")
    assert nvml.wait(5) == (Event(EventKind.CHANGED, "GPU-00000000-0000-0000-0000-000000000001"),)


def test_a_driver_that_stops_reporting_is_an_event_and_is_listened_to_again(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.look()
    monkeypatch.setenv("NVML_STUB_DEAF", "1")
    assert nvml.wait(5) == (Event(EventKind.UNHEARD),)
    monkeypatch.setenv("NVML_STUB_DEAF", "")
    nvml.look()
    monkeypatch.setenv("NVML_STUB_XIDS", "1")
    assert [event.kind for event in nvml.wait(5)] == [EventKind.XID]
