"""Whether a GPU can be handed to a virtual machine, and which kernel driver does it."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.node_prep.core.passthrough import Function, Member, is_vfio, module_for, names_of, obstacle
from slicewire.node_prep.core.refusal import Why

PLACE = "0000:1a:00.0"
ITSELF = Member(PLACE, "0x030200", "nvidia")
ALIASES = """\
alias pci:v000010DEd*sv*sd*bc03sc02i00* nvidia
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias vfio_pci:v000010DEd00002342sv*sd*bc*sc*i* nvgrace_gpu_vfio_pci
"""


def a_function(**given: Any) -> Function:
    return Function(**({"pci_bus_id": PLACE, "driver": "nvidia", "group": "7", "members": (ITSELF,)} | given))


def test_a_gpu_alone_in_its_group_can_be_handed_over() -> None:
    assert obstacle(a_function(), set()) is None


@pytest.mark.parametrize("driver", ["", "vfio-pci", "nvgrace_gpu_vfio_pci"])
def test_so_can_one_that_nobody_has_or_vfio(driver: str) -> None:
    assert obstacle(a_function(driver=driver), set()) is None


@pytest.mark.parametrize(
    ("given", "why", "words"),
    [
        ({"group": ""}, Why.DRIVER, "turn the IOMMU on"),
        ({"driver": "nouveau"}, Why.BUSY, "kernel driver nouveau has"),
        ({"virtual_functions": 2}, Why.BUSY, "sriov_numvfs"),
    ],
)
def test_what_forbids_it_is_said(given: dict[str, Any], why: Why, words: str) -> None:
    refusal = obstacle(a_function(**given), set())
    assert refusal is not None
    assert refusal.why is why
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("companion", "may_stay"),
    [
        (Member("0000:19:00.0", "0x060400", "pcieport"), True),
        (Member("0000:1a:00.1", "0x040300", ""), True),
        (Member("0000:1a:00.1", "0x040300", "vfio-pci"), True),
        (Member("0000:1a:00.1", "0x040300", "pci-stub"), True),
        (Member("0000:1a:00.1", "0x040300", "snd_hda_intel"), False),
        (Member("0000:1b:00.0", "0x030200", "nvidia"), False),
    ],
)
def test_companions_must_be_bridges_or_free(companion: Member, may_stay: bool) -> None:
    refusal = obstacle(a_function(members=(ITSELF, companion)), set())
    assert (refusal is None) is may_stay
    assert refusal is None or f"{companion.pci_bus_id} ({companion.driver})" in refusal.reason


def test_a_companion_that_the_claim_hands_over_too_may_stay() -> None:
    other = Member("0000:1b:00.0", "0x030200", "nvidia")
    assert obstacle(a_function(members=(ITSELF, other)), {other.pci_bus_id}) is None


def test_the_module_with_the_fewest_wildcards_is_taken() -> None:
    grace = "pci:v000010DEd00002342sv000010DEsd000016EBbc03sc02i00"
    assert module_for(grace, ALIASES) == "nvgrace_gpu_vfio_pci"
    assert module_for(grace.replace("2342", "2330"), ALIASES) == "vfio_pci"


def test_a_kernel_that_lists_no_aliases_has_the_usual_module() -> None:
    assert module_for("", "") == "vfio_pci"
    assert names_of("vfio_pci") == ("vfio_pci", "vfio-pci")
    assert is_vfio("vfio-pci")
    assert not is_vfio("nvidia")
