"""The names of CDI files and devices: nothing from outside is a path in them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slicewire.common.model import ClaimUID, DeviceName
from slicewire.node_prep.core.cdi import claim_of, file_name, plain, strays
from slicewire.node_prep.core.cdi.names import device_name

CLAIM = ClaimUID("6f570f14-3fb1-4637-b575-002163fbb70f")
CDI_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?", re.ASCII)
"""From the CDI specification."""
NAMES = st.text(max_size=300) | st.text(alphabet="./\\\0 aA0_-\n", max_size=300)


@settings(deadline=None)
@given(NAMES, NAMES)
@example("..", "../../etc/passwd")
@example("/", "")
@example("a" * 300, "a\n")
def test_no_name_leads_out_of_its_folder(claim: str, device: str) -> None:
    for name in (plain(claim), file_name(ClaimUID(claim))):
        assert PurePosixPath(name).parts == (name,)
        assert name not in (".", "..")
        assert "\0" not in name
        assert len(name.encode()) <= 255
    assert CDI_NAME.fullmatch(device_name(ClaimUID(claim), DeviceName(device)))


@settings(deadline=None)
@given(NAMES, NAMES)
@example("a/", "hex_612f")
@example("", "hex_")
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (plain(one) == plain(other)) == (one == other)


@pytest.mark.parametrize("name", [CLAIM, "gpu-0-mig-1g10gb-19-0", "gpu.nvidia.com", "a" * 128])
def test_what_kubernetes_calls_a_name_stays_as_it_is(name: str) -> None:
    assert plain(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "a/b", "-a", "a-", "a.", "a_b", "ä", "a" * 129])
def test_what_could_not_be_a_file_or_a_cdi_name_is_spelt_otherwise(name: str) -> None:
    assert plain(name) != name


def test_a_file_of_ours_is_known_by_its_name() -> None:
    name = file_name(CLAIM)
    assert name == f"k8s.gpu.nvidia.com-claim_{CLAIM}.json"
    assert claim_of(name) == CLAIM
    assert claim_of(file_name(ClaimUID("../x"))) == "../x"


@pytest.mark.parametrize(
    "name",
    [
        f"k8s.gpu.nvidia.com-claim_{CLAIM}.yaml",
        "nvidia.json",
        f".{file_name(CLAIM)}",
        f"{file_name(CLAIM)}.tmp",
        "k8s.gpu.nvidia.com-claim_.json",
        "k8s.gpu.nvidia.com-claim_hex_61.json",
        "k8s.gpu.nvidia.com-claim_hex_ff.json",
    ],
)
def test_a_file_that_we_never_write_is_nobodys(name: str) -> None:
    assert claim_of(name) is None


def test_what_nobody_wants_is_a_stray() -> None:
    here, gone, left = ClaimUID("here"), ClaimUID("gone"), ClaimUID("left")
    present = (file_name(here), file_name(left), "nvidia.yaml")
    assert strays((here, gone), present) == {left}
