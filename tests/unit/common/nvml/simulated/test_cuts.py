"""The tables of how GPUs can be cut agree with each other, and with how NVIDIA names what is cut."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from slicewire.common.nvml.partitions import MigProfile, Placement
from slicewire.common.nvml.simulated.cuts import compute_profiles
from slicewire.common.nvml.simulated.profiles import MODELS

CUTTABLE = tuple(name for name, model in MODELS.items() if model.can_be_cut)


def _profile(model: str, number: int) -> MigProfile:
    return next(profile for profile in MODELS[model].mig_profiles if profile.id == number)


def test_gpus_without_mig_have_no_profiles() -> None:
    assert sorted(set(MODELS) - set(CUTTABLE)) == ["l40s", "t4"]


@pytest.mark.parametrize("model", CUTTABLE)
def test_a_profile_is_named_after_its_part_of_the_memory(model: str) -> None:
    total = MODELS[model].memory_bytes
    gigabytes = math.ceil(Fraction(total, 1024**3))
    for profile in MODELS[model].mig_profiles:
        eighths = math.ceil(Fraction(profile.memory_mib * 1024**2 * 8, total))
        rounded = math.floor(Fraction(eighths * gigabytes, 8) + Fraction(1, 2))
        suffix = "+me" if profile.id == 20 else ""
        assert profile.name == f"{profile.slices}g.{rounded}gb{suffix}"
        assert {place.size for place in profile.placements} == {eighths}


@pytest.mark.parametrize("model", CUTTABLE)
def test_as_many_as_there_may_be_fit_into_the_whole(model: str) -> None:
    whole = _profile(model, 0)
    for profile in MODELS[model].mig_profiles:
        assert profile.most_instances * profile.memory_mib <= whole.memory_mib
        assert profile.most_instances * profile.slices <= whole.slices
        assert profile.most_instances * profile.multiprocessors <= whole.multiprocessors
        assert profile.most_instances * profile.decoders <= whole.decoders
        assert profile.most_instances <= len(profile.placements)


@pytest.mark.parametrize(
    ("model", "number", "figures"),
    [  # name, MiB, multiprocessors, copy engines, decoders, JPEG engines, OFA engines
        ("a100-40gb", 19, ("1g.5gb", 4864, 14, 1, 0, 0, 0)),
        ("a100-80gb", 9, ("3g.40gb", 40192, 42, 3, 2, 0, 0)),
        ("h100", 15, ("1g.20gb", 20096, 26, 1, 1, 1, 0)),
        ("h100", 0, ("7g.80gb", 81152, 132, 8, 7, 7, 1)),
        ("h200", 0, ("7g.141gb", 143104, 132, 8, 7, 7, 1)),
        ("b200", 14, ("2g.45gb", 45312, 36, 4, 2, 2, 0)),
        ("gb200", 20, ("1g.23gb+me", 22528, 18, 2, 1, 1, 1)),
    ],
)
def test_figures_are_those_that_nvidia_smi_prints(
    model: str, number: int, figures: tuple[object, ...]
) -> None:
    it = _profile(model, number)
    engines = (it.copy_engines, it.decoders, it.jpeg_engines, it.ofa_engines)
    assert (it.name, it.memory_mib, it.multiprocessors, *engines) == figures


def test_placements_are_those_that_nvidia_smi_prints() -> None:
    starts = {it.id: [place.start for place in it.placements] for it in MODELS["h100"].mig_profiles}
    assert starts == {
        19: [0, 1, 2, 3, 4, 5, 6],
        20: [0, 1, 2, 3, 4, 5, 6],
        15: [0, 2, 4, 6],
        14: [0, 2, 4],
        9: [0, 4],
        5: [0],
        0: [0],
    }


def test_an_instance_can_be_shared_out_or_had_whole() -> None:
    found = {it.slices: it for it in compute_profiles(_profile("h100", 9))}
    assert sorted(found) == [1, 2, 3]
    assert (found[3].multiprocessors, found[3].most_instances) == (60, 1)
    assert (found[1].multiprocessors, found[1].most_instances) == (20, 3)


def test_placements_that_touch_do_not_overlap() -> None:
    assert not Placement(0, 4).overlaps(Placement(4, 4))
    assert Placement(0, 4).overlaps(Placement(3, 1))
    assert Placement(3, 1).overlaps(Placement(0, 8))
