"""The real room: what a GPU is like, how it is cut, and what goes wrong on the way."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicewire.common.nvml.condition import (
    Condition,
    Ecc,
    RecoveryAction,
    RemappedRows,
    RetiredPages,
    SlowedBy,
)
from slicewire.common.nvml.facts import (
    ComputeMode,
    Fabric,
    FabricState,
    GpuFacts,
    NodeFacts,
    NvLink,
    PeerKind,
    Process,
    TimeSlice,
    Unseen,
)
from slicewire.common.nvml.real import RealNvml
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from tests.nvmlstub import built

GPU_0 = "GPU-00000000-0000-0000-0000-000000000000"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def nvml(root: Path, tmp_path: Path) -> Iterator[RealNvml]:
    opened = RealNvml(str(built(tmp_path)), driver_root=root)
    yield opened
    opened.close()


def _gpu(nvml: RealNvml, index: int = 0) -> GpuFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts), facts
    return facts.gpus[index]


def _smi(root: Path, script: str) -> None:
    program = root / "usr/bin/nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_what_is_told_of_a_gpu_beside_its_identity(nvml: RealNvml) -> None:
    gpu = _gpu(nvml)
    assert (gpu.pci_device_id, gpu.module_id, gpu.is_vgpu) == ("0x2330", 3, False)
    assert (gpu.compute_mode, gpu.persistence) == (ComputeMode.DEFAULT, True)
    assert gpu.power_limit_milliwatts == 700_000
    cluster = "abababab-abab-abab-abab-abababababab"
    assert gpu.fabric == Fabric(state=FabricState.COMPLETED, cluster_uuid=cluster, clique_id=32766)


def test_links_that_are_down_are_no_links(nvml: RealNvml) -> None:
    links = _gpu(nvml).links
    assert [link.link for link in links] == [*range(5), *range(6, 18)]
    assert links[5] == NvLink(link=6, version="4.0", peer=PeerKind.SWITCH, peer_pci_bus_id="00000000:C5:00.0")


def test_a_gpu_that_has_nearly_nothing_is_read_all_the_same(nvml: RealNvml) -> None:
    gpu = _gpu(nvml, 1)
    assert (gpu.mig, gpu.module_id, gpu.power_limit_milliwatts, gpu.links, gpu.fabric) == (
        None,
        None,
        None,
        (),
        None,
    )
    pages = RetiredPages(single_bit=0, double_bit=1, pending=True)
    assert gpu.condition == Condition(temperature_celsius=34, retired_pages=pages)
    assert gpu.unread == ()


def test_a_sick_gpu_says_where_it_hurts(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STUB_SICK", "0")
    assert _gpu(nvml).condition == Condition(
        temperature_celsius=91,
        slowdown_celsius=87,
        slowed_by=(SlowedBy.HARDWARE, SlowedBy.HARDWARE_THERMAL),
        recovery_action=RecoveryAction.RESET,
        ecc=Ecc(enabled=True, pending=True, volatile_corrected=0, volatile_uncorrected=2),
        remapped_rows=RemappedRows(correctable=0, uncorrectable=1, pending=True, failed=False),
    )


def test_a_part_that_cannot_be_read_is_said_and_the_gpu_is_seen(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVML_STUB_PART", "0")
    gpu = _gpu(nvml)
    assert gpu.power_limit_milliwatts is None
    assert gpu.unread == (
        Unseen("power limit", "reading power limit: Unknown Error", "00000000:1A:00.0", NvmlCode.UNKNOWN),
    )


def test_a_gpu_that_is_lost_later_is_still_placed(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.look()
    monkeypatch.setenv("NVML_STUB_LOST", "0")
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    assert [(one.pci_bus_id, one.code) for one in facts.unseen] == [("00000000:1A:00.0", NvmlCode.LOST)]
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(GPU_0, enabled=True)
    assert refused.value.code is NvmlCode.LOST
    assert refused.value.what == f"turn MIG mode on of {GPU_0}: GPU is lost"


def test_a_mode_that_waits_for_a_reset_is_refused_and_seen(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVML_STUB_PENDING", "1")
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(GPU_0, enabled=True)
    assert refused.value.code is NvmlCode.RESET_REQUIRED
    mig = _gpu(nvml).mig
    assert mig is not None
    assert (mig.enabled, mig.pending) == (False, True)


def test_a_compute_instance_that_cannot_be_told_is_not_left_behind(
    nvml: RealNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.set_mig_mode(GPU_0, enabled=True)
    instance = nvml.create_gpu_instance(GPU_0, 14, 0)
    monkeypatch.setenv("NVML_STUB_CI_INFO", "999")
    with pytest.raises(NvmlRefused, match="reading compute instance: Unknown Error"):
        nvml.create_compute_instance(GPU_0, instance.id, 1)
    monkeypatch.delenv("NVML_STUB_CI_INFO")
    mig = _gpu(nvml).mig
    assert mig is not None
    assert [one.compute_instances for one in mig.instances] == [()]


def test_a_gpu_that_is_worked_on_names_who(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STUB_BUSY", "0")
    assert nvml.processes(GPU_0) == (Process(pid=4711, memory_bytes=1 << 20),)
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(GPU_0, enabled=True)
    assert refused.value.code is NvmlCode.IN_USE


def test_a_time_slice_is_set_with_the_drivers_own_program(nvml: RealNvml, root: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    _smi(root, f'echo "$* $LD_PRELOAD" >> {told}')
    nvml.set_time_slice(GPU_0, TimeSlice.MEDIUM)
    library = tmp_path / "libnvidia-ml.so.1"
    assert told.read_text() == f"compute-policy -i {GPU_0} --set-timeslice 2 {library}\n"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo 'no can do' >&2; exit 3", NvmlCode.NOT_SUPPORTED, "nvidia-smi ended with 3: no can do"),
        ("exit 4", NvmlCode.NO_PERMISSION, "nvidia-smi ended with 4: it said nothing"),
        ("exit 111", NvmlCode.UNKNOWN, "nvidia-smi ended with 111"),
    ],
)
def test_what_nvidia_smi_refuses_is_refused_with_its_words(
    nvml: RealNvml, root: Path, script: str, code: NvmlCode, words: str
) -> None:
    _smi(root, script)
    with pytest.raises(NvmlRefused, match=words) as refused:
        nvml.set_time_slice(GPU_0, TimeSlice.SHORT)
    assert refused.value.code is code


def test_without_nvidia_smi_there_is_no_time_slice(nvml: RealNvml, root: Path) -> None:
    with pytest.raises(NvmlRefused, match=f"{root}/usr/bin/nvidia-smi: No such file") as refused:
        nvml.set_time_slice(GPU_0, TimeSlice.SHORT)
    assert refused.value.code is NvmlCode.DRIVER_AWAY


def test_without_a_driver_nothing_can_be_changed(tmp_path: Path) -> None:
    nvml = RealNvml(str(tmp_path / "libnvidia-ml.so.1"))
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(GPU_0, enabled=True)
    assert refused.value.code is NvmlCode.DRIVER_AWAY
    nvml.close()


def test_who_waits_holds_up_nobody_who_changes(nvml: RealNvml) -> None:
    nvml.look()
    waiting = threading.Thread(target=nvml.wait, args=(2.0,))
    waiting.start()
    delays = []
    for enabled in (True, False, True, False):
        before = time.monotonic()
        nvml.set_mig_mode(GPU_0, enabled=enabled)
        delays.append(time.monotonic() - before)
    nvml.close()
    waiting.join()
    assert min(delays) < 0.1  # NVML's own wait goes on for half a second


def test_an_older_driver_is_asked_in_its_own_way(nvml: RealNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STUB_SICK", "0")
    newer = _gpu(nvml)
    monkeypatch.setenv("NVML_STUB_OLD", "1")
    assert _gpu(nvml) == newer


def test_who_lets_go_has_nothing_open_and_looks_again(nvml: RealNvml, tmp_path: Path) -> None:
    nvml.look()
    library = ctypes.CDLL(str(tmp_path / "libnvidia-ml.so.1"))
    assert library.nvmlSystemGetDriverVersion(ctypes.create_string_buffer(80), 80) == 0
    nvml.let_go()
    assert nvml.wait(0.01) == ()
    uninitialized = 1
    assert library.nvmlSystemGetDriverVersion(ctypes.create_string_buffer(80), 80) == uninitialized
    assert _gpu(nvml).minor == 0
