"""The simulated room: one file, several processes, faults from outside, and the files of a real node."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import Event, EventKind, NodeFacts, NvmlAbsent, TimeSlice, Unseen
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.state import BadState, NodeState, new_node
from slicewire.common.nvml.simulated.statefile import StateFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node-a" / "state.json"


@pytest.fixture
def nvml(path: Path) -> SimulatedNvml:
    return SimulatedNvml(path, new_node("node-a", "h100", 4))


def _facts(nvml: SimulatedNvml) -> NodeFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts), facts
    return facts


def _change(path: Path, change: Callable[[NodeState], NodeState]) -> None:
    StateFile(path).change(change)


def test_a_gpu_answers_as_the_real_product_does(nvml: SimulatedNvml) -> None:
    gpu = _facts(nvml).gpus[1]
    assert gpu.product_name == "NVIDIA H100 80GB HBM3"
    assert gpu.pci_bus_id == "00000000:1B:00.0"
    assert gpu.memory_bytes == 81559 * 1024**2


def test_who_comes_later_finds_the_node_as_it_became(nvml: SimulatedNvml, path: Path) -> None:
    _change(path, lambda node: node.without_gpu(0))
    later = SimulatedNvml(path, new_node("node-a", "t4", 1))
    assert _facts(later) == _facts(nvml)
    assert [gpu.minor for gpu in _facts(later).gpus] == [1, 2, 3]


def _changed_long_ago(path: Path) -> None:
    os.utime(path, (1, 1))


def test_a_look_where_nothing_has_changed_reads_nothing(nvml: SimulatedNvml, path: Path) -> None:
    nvml.look()
    _changed_long_ago(path)
    assert nvml.look() is nvml.look()


def test_a_file_that_was_written_just_now_is_read_again(nvml: SimulatedNvml, path: Path) -> None:
    """Its time may be that of the next change, too."""
    nvml.look()
    just_now = time.time() + 100.0  # for as long as the test runs
    os.utime(path, (just_now, just_now))
    assert nvml.look() is not nvml.look()


def test_whatever_was_seen_before_a_change_is_noticed(nvml: SimulatedNvml, path: Path) -> None:
    gpu = _facts(nvml).gpus[0]
    _changed_long_ago(path)
    assert nvml.look() is nvml.look()
    nvml.set_mig_mode(gpu.uuid, enabled=True)
    assert _facts(nvml).gpus[0].mig_enabled
    _changed_long_ago(path)
    assert nvml.look() is nvml.look()
    (nvml.sysfs_root / "sys/bus/pci/drivers/nvidia/unbind").write_text("0000:1a:00.0")
    assert gpu.uuid not in {one.uuid for one in _facts(nvml).gpus}


def test_a_faulty_gpu_is_unseen_and_the_others_are_read(nvml: SimulatedNvml, path: Path) -> None:
    _change(path, lambda node: node.with_fault(2, "GPU is lost"))
    facts = _facts(nvml)
    assert facts.unseen == (Unseen("GPU 2", "GPU is lost", "00000000:4A:00.0", NvmlCode.LOST),)
    assert [gpu.minor for gpu in facts.gpus] == [0, 1, 3]


def test_a_driver_that_is_away_gives_its_reason(nvml: SimulatedNvml, path: Path) -> None:
    _change(path, lambda node: node.with_driver(absent="Driver Not Loaded"))
    assert nvml.look() == NvmlAbsent("Driver Not Loaded")
    _change(path, lambda node: node.with_driver())
    assert len(_facts(nvml).gpus) == 4


def test_a_state_file_spoilt_by_hand_is_a_reason_that_names_it_and_can_be_mended(
    nvml: SimulatedNvml, path: Path
) -> None:
    good = path.read_bytes()
    path.write_text('{"node": "node-a", "model": "h100", "gpuz": []}')
    absent = nvml.look()
    assert isinstance(absent, NvmlAbsent)
    assert str(path) in absent.reason
    assert "gpuz" in absent.reason
    path.write_bytes(good)
    assert len(_facts(nvml).gpus) == 4


def test_a_change_between_look_and_wait_is_not_missed(nvml: SimulatedNvml, path: Path) -> None:
    nvml.look()
    _change(path, lambda node: node.without_gpu(3))
    assert nvml.wait(5) == (Event(EventKind.CHANGED),)


def test_a_change_wakes_who_waits(nvml: SimulatedNvml, path: Path) -> None:
    nvml.look()
    heard: list[tuple[Event, ...]] = []
    waiting = threading.Thread(target=lambda: heard.append(nvml.wait(5)))
    waiting.start()
    _change(path, lambda node: node.with_xid(1, 79))
    waiting.join(timeout=5)
    assert heard == [(Event(EventKind.XID, _facts(nvml).gpus[1].uuid, 79),)]


def test_an_xid_is_news_once_and_old_ones_never(nvml: SimulatedNvml, path: Path) -> None:
    _change(path, lambda node: node.with_xid(0, 13))
    nvml.look()
    _change(path, lambda node: node.with_xid(0, 79))
    assert [event.code for event in nvml.wait(5)] == [79]
    assert nvml.wait(0.01) == ()


def test_an_xid_is_heard_although_a_look_came_first(nvml: SimulatedNvml, path: Path) -> None:
    nvml.look()
    _change(path, lambda node: node.with_xid(1, 79))
    nvml.look()
    assert [(event.kind, event.code) for event in nvml.wait(0)] == [(EventKind.XID, 79)]
    assert nvml.wait(0) == ()


def test_sysfs_beside_the_state_says_where_each_gpu_sits(nvml: SimulatedNvml) -> None:
    nvml.look()
    link = nvml.sysfs_root / "sys/bus/pci/devices/0000:4a:00.0"
    assert "/sys/devices/pci0000:00/" in str(link.resolve())
    assert (link / "numa_node").read_text() == "0\n"
    assert (link / "vendor").read_text() == "0x10de\n"


def test_the_driver_root_has_what_a_container_needs(nvml: SimulatedNvml) -> None:
    nvml.look()
    root = nvml.driver_root
    nodes = {node.name for node in (root / "dev").iterdir()}
    assert {"nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"} <= nodes
    library = root / "usr/lib/x86_64-linux-gnu/libcuda.so.1"
    assert library.resolve().name == "libcuda.so.550.163.01"
    assert (root / "usr/bin/nvidia-smi").stat().st_mode & 0o111


def test_the_files_go_and_come_with_the_gpu(nvml: SimulatedNvml, path: Path) -> None:
    def there() -> tuple[bool, bool]:
        nvml.look()
        link = nvml.sysfs_root / "sys/bus/pci/devices/0000:1b:00.0"
        return link.exists(), (nvml.driver_root / "dev/nvidia1").exists()

    assert there() == (True, True)
    _change(path, lambda node: node.without_gpu(1))
    assert there() == (False, False)
    _change(path, lambda node: node.with_gpu(1))
    assert there() == (True, True)


def test_processes_that_change_the_node_at_once_lose_no_change(nvml: SimulatedNvml, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from slicewire.common.nvml.simulated.statefile import StateFile\n"
        "for code in range(10): StateFile(Path(sys.argv[1])).change(lambda node: node.with_xid(0, code))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(StateFile(path).read().xids) == 30


def _as_edited(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_a_gpu_cut_by_hand_as_none_can_be_is_a_reason_that_names_it(nvml: SimulatedNvml, path: Path) -> None:
    instance = '"instances": [{"id": 1, "profileId": 9, "placement": {"start": 2, "size": 4}}], "minor": 2'
    _as_edited(path, '"minor": 2', instance)
    absent = nvml.look()
    assert isinstance(absent, NvmlAbsent)
    words = "GPU 2: h100 has no GPU instance of profile 9 with 4 memory slices from 2 on"
    assert absent.reason == f"simulated node {path}: {words}"
    with pytest.raises(NvmlRefused, match=words) as refused:
        nvml.processes("GPU-0")
    assert refused.value.code is NvmlCode.DRIVER_AWAY


def test_a_model_nobody_knows_is_unseen_and_cannot_be_changed(nvml: SimulatedNvml, path: Path) -> None:
    gpu = _facts(nvml).gpus[3].uuid
    _change(path, lambda node: node.with_changed(3, model="h999"))
    (unseen,) = _facts(nvml).unseen
    assert unseen.reason == "model 'h999' cannot be simulated"
    with pytest.raises(NvmlRefused, match="model 'h999' cannot be simulated"):
        nvml.set_mig_mode(gpu, enabled=True)
    with pytest.raises(BadState, match="model 'h999' cannot be simulated"):
        befallen(StateFile(path).read(), 3, "ecc")


def test_a_gpu_that_is_lost_or_away_refuses_with_its_reason(nvml: SimulatedNvml, path: Path) -> None:
    first, second = (gpu.uuid for gpu in _facts(nvml).gpus[:2])
    _change(path, lambda node: befallen(node, 0, "lost"))
    _change(path, lambda node: node.with_changed(1, kernel_driver="vfio-pci"))
    refusals = {}
    for gpu in (first, second):
        with pytest.raises(NvmlRefused) as refused:
            nvml.set_time_slice(gpu, TimeSlice.LONG)
        refusals[gpu] = (refused.value.code, refused.value.what)
    assert refusals == {
        first: (NvmlCode.LOST, f"set time-slice Long of {first}: GPU is lost"),
        second: (NvmlCode.NOT_FOUND, f"set time-slice Long of {second}: NVML has no such GPU"),
    }
    _change(path, lambda node: befallen(node, 0, "driver-away"))
    with pytest.raises(NvmlRefused, match="Driver Not Loaded") as away:
        nvml.processes(first)
    assert away.value.code is NvmlCode.DRIVER_AWAY


def test_what_one_process_cuts_another_sees(nvml: SimulatedNvml, path: Path) -> None:
    other = SimulatedNvml(path, new_node("node-a", "h100", 4))
    other.look()
    gpu = _facts(nvml).gpus[0].uuid
    nvml.set_mig_mode(gpu, enabled=True)
    made = nvml.create_gpu_instance(gpu, 0, 0)
    assert other.wait(5) == (Event(EventKind.CHANGED),)
    mig = _facts(other).gpus[0].mig
    assert mig is not None
    assert mig.instances == (made,)


def test_a_memory_error_is_an_event_beside_its_xid(nvml: SimulatedNvml, path: Path) -> None:
    gpu = _facts(nvml).gpus[2].uuid
    _change(path, lambda node: befallen(node, 2, "ecc"))
    assert nvml.wait(5) == (Event(EventKind.MEMORY_ERROR, gpu), Event(EventKind.XID, gpu, 48))
