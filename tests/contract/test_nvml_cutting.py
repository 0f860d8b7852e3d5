"""Both rooms of the NVML door cut a GPU alike: the same answers, the same refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import ComputeMode, GpuFacts, NodeFacts, TimeSlice
from slicewire.common.nvml.partitions import Mig, Placement
from slicewire.common.nvml.port import Closed, NvmlControl
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from tests.nvmlstub import built

ROOMS = ("simulated", "real room on a stub library")


@pytest.fixture(params=ROOMS)
def nvml(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NvmlControl]:
    if request.param == "simulated":
        choice = NvmlSettings(
            room="simulated", state=str(tmp_path / "node/state.json"), node="node-a", gpus=2
        )
    else:
        choice = NvmlSettings(room="real", library=str(built(tmp_path)), driver_root=str(_driver(tmp_path)))
    opened = open_nvml(choice)
    yield opened
    opened.close()


def _driver(folder: Path) -> Path:
    smi = folder / "driver" / "usr/bin/nvidia-smi"
    smi.parent.mkdir(parents=True)
    smi.write_text("#!/bin/sh\nexit 0\n")
    smi.chmod(0o755)
    return folder / "driver"


def _first(nvml: NvmlControl) -> GpuFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts), facts
    return facts.gpus[0]


def _mig(nvml: NvmlControl) -> Mig:
    mig = _first(nvml).mig
    assert mig is not None
    return mig


@pytest.fixture
def gpu(nvml: NvmlControl) -> str:
    """One that can be cut."""
    uuid = _first(nvml).uuid
    nvml.set_mig_mode(uuid, enabled=True)
    return uuid


def _made(nvml: NvmlControl, gpu: str, profile_id: int, start: int) -> tuple[int, int]:
    """A whole MIG device."""
    instance = nvml.create_gpu_instance(gpu, profile_id, start)
    assert instance.whole is not None
    return instance.id, nvml.create_compute_instance(gpu, instance.id, instance.whole.id).id


def test_how_a_gpu_can_be_cut_is_told_before_mig_mode_is_on(nvml: NvmlControl) -> None:
    mig = _mig(nvml)
    assert not mig.enabled
    assert [profile.id for profile in mig.profiles] == [0, 5, 9, 14, 15, 19, 20]
    tenth = mig.profile(19)
    assert tenth is not None
    assert (tenth.name, tenth.slices, tenth.memory_mib, tenth.multiprocessors) == ("1g.10gb", 1, 9984, 16)
    assert [place.start for place in tenth.placements] == [0, 1, 2, 3, 4, 5, 6]
    media = mig.profile(20)
    assert media is not None
    assert (media.name, media.ofa_engines, media.most_instances) == ("1g.10gb+me", 1, 1)


def test_a_partition_that_was_made_is_seen_where_it_was_asked_for(nvml: NvmlControl, gpu: str) -> None:
    instance = nvml.create_gpu_instance(gpu, 9, 4)
    assert (instance.profile_id, instance.placement) == (9, Placement(4, 4))
    assert instance.whole is not None
    assert instance.whole.slices == 3
    inside = nvml.create_compute_instance(gpu, instance.id, instance.whole.id)
    (seen,) = _mig(nvml).instances
    assert (seen.id, seen.placement, seen.compute_instances) == (instance.id, Placement(4, 4), (inside,))
    assert inside.uuid.startswith("MIG-")


def test_partitions_side_by_side_have_uuids_of_their_own(nvml: NvmlControl, gpu: str) -> None:
    for start in range(7):
        _made(nvml, gpu, 19, start)
    instances = _mig(nvml).instances
    assert [instance.placement.start for instance in instances] == list(range(7))
    assert len({instance.compute_instances[0].uuid for instance in instances}) == 7


def test_where_one_is_no_other_can_be(nvml: NvmlControl, gpu: str) -> None:
    nvml.create_gpu_instance(gpu, 9, 0)
    with pytest.raises(NvmlRefused) as refused:
        nvml.create_gpu_instance(gpu, 19, 2)
    assert refused.value.code is NvmlCode.INSUFFICIENT_RESOURCES
    assert gpu in refused.value.what


def test_engines_that_are_given_away_are_given_once(nvml: NvmlControl, gpu: str) -> None:
    nvml.create_gpu_instance(gpu, 20, 0)
    with pytest.raises(NvmlRefused) as refused:
        nvml.create_gpu_instance(gpu, 20, 1)
    assert refused.value.code is NvmlCode.INSUFFICIENT_RESOURCES
    nvml.create_gpu_instance(gpu, 19, 1)


@pytest.mark.parametrize(
    ("profile_id", "start", "code"),
    [(14, 1, NvmlCode.INVALID_ARGUMENT), (5, 4, NvmlCode.INVALID_ARGUMENT), (77, 0, NvmlCode.NOT_SUPPORTED)],
)
def test_a_partition_that_cannot_be_is_refused(
    nvml: NvmlControl, gpu: str, profile_id: int, start: int, code: NvmlCode
) -> None:
    with pytest.raises(NvmlRefused) as refused:
        nvml.create_gpu_instance(gpu, profile_id, start)
    assert refused.value.code is code
    assert _mig(nvml).instances == ()


def test_what_was_removed_makes_room(nvml: NvmlControl, gpu: str) -> None:
    instance, inside = _made(nvml, gpu, 0, 0)
    nvml.destroy_compute_instance(gpu, instance, inside)
    nvml.destroy_gpu_instance(gpu, instance)
    assert _mig(nvml).instances == ()
    assert _made(nvml, gpu, 5, 0)


def test_a_partition_with_something_inside_is_in_use(nvml: NvmlControl, gpu: str) -> None:
    instance, _ = _made(nvml, gpu, 14, 2)
    with pytest.raises(NvmlRefused) as refused:
        nvml.destroy_gpu_instance(gpu, instance)
    assert refused.value.code is NvmlCode.IN_USE


def test_a_compute_instance_too_many_is_refused(nvml: NvmlControl, gpu: str) -> None:
    instance, _ = _made(nvml, gpu, 9, 0)
    with pytest.raises(NvmlRefused) as refused:
        nvml.create_compute_instance(gpu, instance, 0)
    assert refused.value.code is NvmlCode.INSUFFICIENT_RESOURCES


def test_half_a_partition_is_seen_as_half(nvml: NvmlControl, gpu: str) -> None:
    nvml.create_gpu_instance(gpu, 14, 0)
    assert [instance.compute_instances for instance in _mig(nvml).instances] == [()]


@pytest.mark.parametrize(
    "what", ["GPU instance", "compute instance", "GPU instance around it", "GPU instance to share out"]
)
def test_what_is_not_there_is_not_found(nvml: NvmlControl, gpu: str, what: str) -> None:
    there = nvml.create_gpu_instance(gpu, 14, 0).id
    attempts: dict[str, Callable[[], object]] = {
        "GPU instance": lambda: nvml.destroy_gpu_instance(gpu, there + 1),
        "compute instance": lambda: nvml.destroy_compute_instance(gpu, there, 3),
        "GPU instance around it": lambda: nvml.destroy_compute_instance(gpu, there + 1, 0),
        "GPU instance to share out": lambda: nvml.create_compute_instance(gpu, there + 1, 0),
    }
    with pytest.raises(NvmlRefused) as refused:
        attempts[what]()
    assert refused.value.code is NvmlCode.NOT_FOUND


def test_a_gpu_that_is_cut_stays_in_mig_mode(nvml: NvmlControl, gpu: str) -> None:
    instance, inside = _made(nvml, gpu, 14, 0)
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(gpu, enabled=False)
    assert refused.value.code is NvmlCode.IN_USE
    nvml.destroy_compute_instance(gpu, instance, inside)
    nvml.destroy_gpu_instance(gpu, instance)
    nvml.set_mig_mode(gpu, enabled=False)
    assert not _first(nvml).mig_enabled


def test_without_mig_mode_nothing_is_cut(nvml: NvmlControl) -> None:
    with pytest.raises(NvmlRefused) as refused:
        nvml.create_gpu_instance(_first(nvml).uuid, 19, 0)
    assert refused.value.code is NvmlCode.NOT_SUPPORTED


def test_a_gpu_of_another_node_is_not_found(nvml: NvmlControl) -> None:
    nobody = "GPU-99999999-9999-9999-9999-999999999999"
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_mig_mode(nobody, enabled=True)
    assert refused.value.code is NvmlCode.NOT_FOUND
    assert nobody in str(refused.value)


def test_a_compute_mode_that_was_set_is_seen(nvml: NvmlControl) -> None:
    gpu = _first(nvml).uuid
    nvml.set_compute_mode(gpu, ComputeMode.EXCLUSIVE_PROCESS)
    assert _first(nvml).compute_mode is ComputeMode.EXCLUSIVE_PROCESS
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_compute_mode(gpu, ComputeMode.EXCLUSIVE_THREAD)
    assert refused.value.code is NvmlCode.NOT_SUPPORTED


def test_in_mig_mode_the_compute_mode_is_default(nvml: NvmlControl, gpu: str) -> None:
    with pytest.raises(NvmlRefused) as refused:
        nvml.set_compute_mode(gpu, ComputeMode.EXCLUSIVE_PROCESS)
    assert refused.value.code is NvmlCode.NOT_SUPPORTED
    nvml.set_compute_mode(gpu, ComputeMode.DEFAULT)


def test_persistence_mode_goes_off_and_on(nvml: NvmlControl) -> None:
    gpu = _first(nvml).uuid
    nvml.set_persistence_mode(gpu, enabled=False)
    assert _first(nvml).persistence is False
    nvml.set_persistence_mode(gpu, enabled=True)
    assert _first(nvml).persistence is True


def test_a_time_slice_can_be_set(nvml: NvmlControl) -> None:
    gpu = _first(nvml)
    nvml.set_time_slice(gpu.uuid, TimeSlice.LONG)
    assert _first(nvml).time_slice in {TimeSlice.LONG, None}  # None: NVML does not tell it


def test_nobody_works_on_a_gpu_that_nobody_was_given(nvml: NvmlControl) -> None:
    assert nvml.processes(_first(nvml).uuid) == ()


def test_a_closed_room_changes_nothing(nvml: NvmlControl, gpu: str) -> None:
    nvml.close()
    with pytest.raises(Closed):
        nvml.create_gpu_instance(gpu, 19, 0)
    with pytest.raises(Closed):
        nvml.set_mig_mode(gpu, enabled=False)
