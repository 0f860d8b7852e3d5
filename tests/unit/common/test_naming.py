"""Names of devices, made and read by one module."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import DeviceName
from slicewire.common.model.naming import (
    GpuName,
    MigName,
    VfioName,
    gpu_minor,
    gpu_name,
    mig_name,
    parsed,
    vfio_name,
)

_NUMBERS = st.integers(0, 99)


@pytest.mark.parametrize(
    ("profile", "profile_id", "start", "name"),
    [
        ("1g.20gb", 15, 6, "gpu-0-mig-1g20gb-15-6"),
        ("1g.10gb+me", 20, 0, "gpu-0-mig-1g10gb-me-20-0"),
        ("1g.10gb+me.all", 21, 3, "gpu-0-mig-1g10gb-meall-21-3"),
        ("7g.80gb", 0, 0, "gpu-0-mig-7g80gb-0-0"),
        ("+1G.5GB+", 19, 1, "gpu-0-mig-1g5gb-19-1"),
    ],
)
def test_a_partition_is_named_as_nvidias_driver_names_it(
    profile: str, profile_id: int, start: int, name: str
) -> None:
    assert mig_name(0, profile, profile_id, start) == name
    assert parsed(name) == MigName(0, profile_id, start)


@given(_NUMBERS, st.sampled_from(("1g.10gb", "1g.10gb+me", "2g.20gb-me", "4g.40gb+gfx")), _NUMBERS, _NUMBERS)
def test_what_is_made_is_read_back(number: int, profile: str, profile_id: int, start: int) -> None:
    assert parsed(gpu_name(number)) == GpuName(number)
    assert parsed(vfio_name(number)) == VfioName(number)
    assert parsed(mig_name(number, profile, profile_id, start)) == MigName(number, profile_id, start)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "gpu-",
            "gpu-01",
            "gpu-x",
            "gpu-1 ",
            "gpu-1\n",
            "gpu-\u0661",
            "GPU-0",
            "channel-0",
            "gpu-vfio-",
        ),
        *("gpu-0-mig-19-0", "gpu-0-mig--19-0", "gpu-0-mig-1g10gb-19-", "gpu-0-mig-1G10GB-19-0"),
    ],
)
def test_a_name_of_another_scheme_says_nothing(name: str) -> None:
    assert parsed(name) is None
    assert gpu_minor(DeviceName(name)) is None


def test_only_a_whole_gpu_has_a_minor_in_its_name() -> None:
    assert gpu_minor(DeviceName("gpu-7")) == 7
    assert gpu_minor(DeviceName("gpu-vfio-7")) is None
    assert gpu_minor(DeviceName("gpu-7-mig-1g10gb-19-0")) is None
