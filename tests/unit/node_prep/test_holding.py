"""Whether a claim may have a device that another claim has."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.model import Quantity
from slicewire.node_prep.core.config import DeviceConfig, GpuConfig, GpuSharing, MpsConfig
from slicewire.node_prep.core.hardware import Share, VfioFunction
from slicewire.node_prep.core.holding import in_the_way
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.unit.node_prep.builders import a_claim, a_holding, place_of

PART, OTHER_PART = "gpu-0-mig-1g10gb-19-0", "gpu-0-mig-1g10gb-19-1"


def mps(limit: str) -> DeviceConfig:
    config = MpsConfig(default_pinned_device_memory_limit=Quantity(limit))
    return GpuConfig(sharing=GpuSharing(strategy="MPS", mps_config=config))


def wanted(
    device: str, held: str, of_held: dict[str, Any] | None = None, **more: Any
) -> PrepareRefusal | None:
    return in_the_way(a_holding(device, **more).planned, [a_holding(held, **(of_held or {}))])


def test_a_device_of_another_claim_is_refused_in_upstreams_words() -> None:
    assert wanted("gpu-0", "gpu-0") == PrepareRefusal(
        Why.HELD_BY_ANOTHER, "requested device gpu-0 is already allocated to different claim claim-2"
    )


def test_other_devices_are_in_nobodys_way() -> None:
    assert wanted("gpu-0", "gpu-1") is None
    assert wanted(PART, OTHER_PART) is None
    assert wanted("gpu-10", "gpu-1") is None


def test_administrative_access_takes_nothing_from_anybody() -> None:
    assert wanted("gpu-0", "gpu-0", admin_access=True) is None


@pytest.mark.parametrize(
    ("device", "held"),
    [
        ("gpu-0", PART),
        (PART, "gpu-0"),
        ("gpu-vfio-0", "gpu-0"),
        ("gpu-0", "gpu-vfio-0"),
        (PART, "gpu-vfio-0"),
    ],
)
def test_a_gpu_and_what_is_of_it_are_one_piece_of_hardware(device: str, held: str) -> None:
    assert wanted(device, held) == PrepareRefusal(
        Why.HELD_BY_ANOTHER,
        f"requested device {device} is of the same GPU as {held},"
        " which is already allocated to different claim claim-2",
    )


def test_what_it_is_made_of_tells_which_gpu_it_is_of_and_not_its_name() -> None:
    here = {"hardware": VfioFunction(pci_bus_id=place_of(5))}
    assert wanted("gpu-5", "gpu-vfio-0", here) is not None
    assert wanted("gpu-0", "gpu-vfio-0", here) is None


def test_shares_with_equal_configurations_go_together() -> None:
    """Equal is what means the same, however it was written."""
    share = {"share": Share(id="2"), "config": mps("1024Mi")}
    assert wanted("gpu-0", "gpu-0", share, share=Share(id="1"), config=mps("1Gi")) is None


def test_shares_with_different_configurations_do_not() -> None:
    share = {"share": Share(id="2"), "config": mps("2Gi")}
    assert wanted("gpu-0", "gpu-0", share, share=Share(id="1"), config=mps("1Gi")) == PrepareRefusal(
        Why.CONFLICT,
        f"conflicting configuration: device gpu-0 is shared with claim {a_claim('claim-2')},"
        " whose configuration is another one; claims that share a device must have the same",
    )


def test_a_share_and_the_whole_do_not_go_together() -> None:
    refused = wanted("gpu-0", "gpu-0", share=Share(id="1"))
    assert refused is not None
    assert refused.why is Why.HELD_BY_ANOTHER
