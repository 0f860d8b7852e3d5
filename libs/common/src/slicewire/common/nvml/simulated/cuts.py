"""How each simulated GPU model can be cut: NVML's GPU instance profiles and where they may begin.

Figures of A100, H100 and H200, and of the small profiles of B200 and GB200, are what `nvidia-smi mig
-lgip` and `-lgipp` print on the product (NVIDIA's MIG user guide; the pull requests that taught
NVIDIA's mig-parted each product). NVIDIA publishes no memory and multiprocessor figures for the 3g,
4g and 7g profiles of B200 and GB200: those are derived, halves and the whole as on Hopper.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from slicewire.common.nvml.partitions import ComputeProfile, MigProfile, Placement


class _Shape(msgspec.Struct, frozen=True):
    """What is the same for a profile on every GPU with 7 compute and 8 memory slices."""

    slices: int
    suffix: str
    most: int
    size: int
    starts: tuple[int, ...]


_SHAPES = {
    19: _Shape(1, "", 7, 1, (0, 1, 2, 3, 4, 5, 6)),
    20: _Shape(1, "+me", 1, 1, (0, 1, 2, 3, 4, 5, 6)),
    15: _Shape(1, "", 4, 2, (0, 2, 4, 6)),
    14: _Shape(2, "", 3, 2, (0, 2, 4)),
    9: _Shape(3, "", 2, 4, (0, 4)),
    5: _Shape(4, "", 1, 4, (0,)),
    0: _Shape(7, "", 1, 8, (0,)),
}
_COMPUTE_PROFILE_IDS = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4}
"""NVML's id of the compute profile with so many slices."""

_Row = tuple[int, int, int, int, int, int, int, int]
"""Id, GB in its name, MiB, multiprocessors, copy engines, decoders, JPEG engines, OFA engines."""
_A100_40: tuple[_Row, ...] = (
    (19, 5, 4864, 14, 1, 0, 0, 0),
    (20, 5, 4864, 14, 1, 1, 1, 1),
    (15, 10, 9856, 14, 1, 1, 0, 0),
    (14, 10, 9856, 28, 2, 1, 0, 0),
    (9, 20, 19968, 42, 3, 2, 0, 0),
    (5, 20, 19968, 56, 4, 2, 0, 0),
    (0, 40, 40192, 98, 7, 5, 1, 1),
)
_A100_80: tuple[_Row, ...] = (
    (19, 10, 9728, 14, 1, 0, 0, 0),
    (20, 10, 9728, 14, 1, 1, 1, 1),
    (15, 20, 19968, 14, 1, 1, 0, 0),
    (14, 20, 19968, 28, 2, 1, 0, 0),
    (9, 40, 40192, 42, 3, 2, 0, 0),
    (5, 40, 40192, 56, 4, 2, 0, 0),
    (0, 80, 80896, 98, 7, 5, 1, 1),
)
_H100: tuple[_Row, ...] = (
    (19, 10, 9984, 16, 1, 1, 1, 0),
    (20, 10, 9984, 16, 1, 1, 1, 1),
    (15, 20, 20096, 26, 1, 1, 1, 0),
    (14, 20, 20096, 32, 2, 2, 2, 0),
    (9, 40, 40448, 60, 3, 3, 3, 0),
    (5, 40, 40448, 64, 4, 4, 4, 0),
    (0, 80, 81152, 132, 8, 7, 7, 1),
)
_H200: tuple[_Row, ...] = (
    (19, 18, 16384, 16, 1, 1, 1, 0),
    (20, 18, 16384, 16, 1, 1, 1, 1),
    (15, 35, 33024, 26, 1, 1, 1, 0),
    (14, 35, 33024, 32, 2, 2, 2, 0),
    (9, 71, 71168, 60, 3, 3, 3, 0),
    (5, 71, 71168, 64, 4, 4, 4, 0),
    (0, 141, 143104, 132, 8, 7, 7, 1),
)
_B200: tuple[_Row, ...] = (
    (19, 23, 22528, 18, 2, 1, 1, 0),
    (20, 23, 22528, 18, 2, 1, 1, 1),
    (15, 45, 45312, 30, 2, 1, 1, 0),
    (14, 45, 45312, 36, 4, 2, 2, 0),
    (9, 90, 91136, 70, 6, 3, 3, 0),
    (5, 90, 91136, 72, 8, 4, 4, 0),
    (0, 180, 182784, 148, 16, 7, 7, 1),
)
_GB200: tuple[_Row, ...] = (
    (19, 23, 22528, 18, 2, 1, 1, 0),
    (20, 23, 22528, 18, 2, 1, 1, 1),
    (15, 47, 46592, 32, 2, 1, 1, 0),
    (14, 47, 46592, 38, 4, 2, 2, 0),
    (9, 93, 94208, 72, 6, 3, 3, 0),
    (5, 93, 94208, 76, 8, 4, 4, 0),
    (0, 186, 188928, 152, 16, 7, 7, 1),
)


def _profiles(rows: tuple[_Row, ...]) -> tuple[MigProfile, ...]:
    return tuple(sorted(map(_profile, rows), key=lambda profile: profile.id))


def _profile(row: _Row) -> MigProfile:
    number, gigabytes, mib, multiprocessors, copies, decoders, jpegs, ofas = row
    shape = _SHAPES[number]
    return MigProfile(
        id=number,
        name=f"{shape.slices}g.{gigabytes}gb{shape.suffix}",
        slices=shape.slices,
        memory_mib=mib,
        multiprocessors=multiprocessors,
        copy_engines=copies,
        decoders=decoders,
        encoders=0,  # none of these products has one
        jpeg_engines=jpegs,
        ofa_engines=ofas,
        most_instances=shape.most,
        placements=tuple(Placement(start, shape.size) for start in shape.starts),
    )


PROFILES = {
    "NVIDIA A100-SXM4-40GB": _profiles(_A100_40),
    "NVIDIA A100-SXM4-80GB": _profiles(_A100_80),
    "NVIDIA H100 80GB HBM3": _profiles(_H100),
    "NVIDIA H200": _profiles(_H200),
    "NVIDIA B200": _profiles(_B200),
    "NVIDIA GB200": _profiles(_GB200),
}
"""By product name; who is not here cannot be cut."""


def compute_profiles(profile: MigProfile) -> tuple[ComputeProfile, ...]:
    """How an instance of this profile can be shared out among compute instances."""
    return tuple(_compute_profiles(profile))


def _compute_profiles(profile: MigProfile) -> Iterator[ComputeProfile]:
    for slices, number in _COMPUTE_PROFILE_IDS.items():
        if slices <= profile.slices:
            yield ComputeProfile(
                id=number,
                slices=slices,
                multiprocessors=profile.multiprocessors * slices // profile.slices,
                most_instances=profile.slices // slices,
            )
