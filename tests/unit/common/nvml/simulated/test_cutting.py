"""What a simulated GPU allows: the contract with NVML is in the contract tests, here are its own rules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.common.nvml.facts import Process
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.common.nvml.simulated.cutting import (
    with_compute_instance,
    with_gpu_instance,
    with_mig_mode,
    without_compute_instance,
    without_gpu_instance,
)
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import SimulatedGpu, new_node


def _gpu(model: str = "h100", *, mig: bool = True) -> SimulatedGpu:
    return msgspec.structs.replace(new_node("node-a", model, 1).gpus[0], mig_enabled=mig)


def _refusal(attempt: Callable[[], object]) -> NvmlRefused:
    with pytest.raises(NvmlRefused) as refused:
        attempt()
    return refused.value


def test_hopper_is_in_mig_mode_at_once_and_ampere_after_a_reset() -> None:
    hopper = with_mig_mode(_gpu("h100", mig=False), enabled=True)
    assert (hopper.mig_enabled, hopper.mig_pending) == (True, None)
    ampere = with_mig_mode(_gpu("a100-80gb", mig=False), enabled=True)
    assert (ampere.mig_enabled, ampere.mig_pending) == (False, True)
    assert with_mig_mode(ampere, enabled=False).mig_pending is None  # thought better of it


def test_a_gpu_without_mig_says_so() -> None:
    refused = _refusal(lambda: with_mig_mode(_gpu("t4", mig=False), enabled=True))
    assert (refused.code, refused.what) == (NvmlCode.NOT_SUPPORTED, "Tesla T4 has no MIG mode")


def test_a_gpu_that_is_worked_on_keeps_its_mode() -> None:
    busy = msgspec.structs.replace(_gpu(mig=False), processes=(Process(pid=1), Process(pid=2)))
    refused = _refusal(lambda: with_mig_mode(busy, enabled=True))
    assert (refused.code, refused.what) == (NvmlCode.IN_USE, "in use by 2 processes")


def test_a_refusal_says_what_is_in_the_way() -> None:
    gpu, _ = with_gpu_instance(_gpu(), 9, 4)
    refused = _refusal(lambda: with_gpu_instance(gpu, 15, 6))
    assert refused.what == "1g.20gb at memory slice 6: GPU instance 1 has 4 to 7"


def test_a_refusal_says_where_a_profile_may_begin() -> None:
    refused = _refusal(lambda: with_gpu_instance(_gpu(), 9, 2))
    assert refused.what == "3g.40gb may begin at memory slice 0, 4, not 2"


def test_engines_run_out_before_memory_does() -> None:
    gpu = _gpu("a100-40gb")
    for profile, start in ((9, 0), (9, 4)):
        gpu, _ = with_gpu_instance(gpu, profile, start)
    emptied = without_gpu_instance(gpu, gpu.instances[0].id)
    media, _ = with_gpu_instance(emptied, 20, 0)
    refused = _refusal(lambda: with_gpu_instance(media, 20, 1))
    assert refused.what == "there may be 1 1g.5gb+me, and there are"


def test_a_compute_instance_that_is_worked_on_is_in_use() -> None:
    gpu, instance = with_gpu_instance(_gpu(), 14, 0)
    gpu, inside = with_compute_instance(gpu, instance.id, 1)
    working = Process(pid=7, gpu_instance=instance.id, compute_instance=inside.id)
    busy = msgspec.structs.replace(gpu, processes=(working,))
    refused = _refusal(lambda: without_compute_instance(busy, instance.id, inside.id))
    assert (refused.code, refused.what) == (NvmlCode.IN_USE, f"{inside.uuid} is in use by 1 process")
    assert without_compute_instance(gpu, instance.id, inside.id).instances[0].compute_instances == ()


def test_an_instance_can_be_shared_by_two_compute_instances() -> None:
    gpu, instance = with_gpu_instance(_gpu(), 14, 0)
    gpu, first = with_compute_instance(gpu, instance.id, 0)
    gpu, second = with_compute_instance(gpu, instance.id, 0)
    assert (first.id, second.id) == (0, 1)
    assert first.uuid != second.uuid
    refused = _refusal(lambda: with_compute_instance(gpu, instance.id, 0))
    assert refused.what == "a compute instance of 1 slices: GPU instance 3 has 0 left"


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from([name for name, model in MODELS.items() if model.can_be_cut]),
    wishes=st.lists(
        st.tuples(st.sampled_from([0, 5, 9, 14, 15, 19, 20]), st.integers(0, 7)), min_size=1, max_size=30
    ),
)
def test_however_it_is_cut_nothing_is_given_twice(model: str, wishes: list[tuple[int, int]]) -> None:
    gpu = _gpu(model)
    for profile_id, start in wishes:
        with suppress(NvmlRefused):
            gpu, _ = with_gpu_instance(gpu, profile_id, start)
    profiles = {profile.id: profile for profile in MODELS[model].mig_profiles}
    taken = [
        n for it in gpu.instances for n in range(it.placement.start, it.placement.start + it.placement.size)
    ]
    assert len(taken) == len(set(taken))
    assert len({it.id for it in gpu.instances}) == len(gpu.instances)
    there_are = [profiles[it.profile_id] for it in gpu.instances]
    for share in ("slices", "memory_mib", "multiprocessors", "copy_engines", "decoders", "ofa_engines"):
        assert sum(getattr(it, share) for it in there_are) <= getattr(profiles[0], share)
