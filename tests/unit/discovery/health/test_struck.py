"""An event is about one MIG device where it says so, and about the whole GPU otherwise."""

from __future__ import annotations

import pytest

from slicewire.common.model import Device
from slicewire.common.nvml.facts import Event, NvmlAbsent
from slicewire.discovery.core.health.struck import Struck, struck
from tests.unit.discovery.builders import a_gpu, a_mig, a_node, an_instance
from tests.unit.discovery.health.stories import Story, device, xid

GPU = a_gpu(0, mig=a_mig(an_instance(0, "MIG-a", number=7), an_instance(2, "MIG-b", number=8), enabled=True))
STATIC = (
    device("gpu-0-mig-1g10gb-19-0", type="mig", uuid="MIG-a", parentUUID="GPU-0"),
    device("gpu-0-mig-1g10gb-19-2", type="mig", uuid="MIG-b", parentUUID="GPU-0"),
)
DYNAMIC = (
    device("gpu-0", uuid="GPU-0"),
    *(device(f"gpu-0-mig-1g10gb-19-{start}", type="mig", parentUUID="GPU-0") for start in range(4)),
    device("gpu-1-mig-1g10gb-19-2", bus="0000:1b:00.0", type="mig", parentUUID="GPU-1"),
)


@pytest.mark.parametrize("devices", [STATIC, DYNAMIC])
def test_the_partition_is_found_by_its_uuid_or_by_its_place(devices: tuple[Device, ...]) -> None:
    found = struck(xid(94, instance=8, compute=0), a_node(GPU), devices)
    assert found == Struck((STATIC[1].name,), "MIG-b")


@pytest.mark.parametrize(
    "event", [xid(94), xid(94, instance=99, compute=0), xid(94, minor=5, instance=8, compute=0)]
)
def test_what_cannot_be_found_is_the_whole_gpu(event: Event) -> None:
    assert struck(event, a_node(GPU), STATIC) == Struck()


def test_without_a_driver_it_is_the_whole_gpu() -> None:
    assert struck(xid(94, instance=8, compute=0), NvmlAbsent("Driver Not Loaded"), STATIC) == Struck()


def test_the_finding_goes_with_its_mig_device() -> None:
    story = (
        Story().look(GPU, devices=STATIC).look(GPU, events=(xid(94, instance=8, compute=0),), devices=STATIC)
    )
    (finding,) = story.look(GPU, devices=STATIC).health.findings
    assert finding.devices == (STATIC[1].name,)
    without_b = a_gpu(0, mig=a_mig(an_instance(0, "MIG-a", number=7), enabled=True))
    assert story.look(without_b, devices=STATIC[:1]).found == set()


def test_the_same_xid_in_two_partitions_is_two_findings() -> None:
    events = (xid(94, instance=7, compute=0), xid(94, instance=8, compute=0))
    assert len(Story().look(GPU).look(GPU, events=events, devices=DYNAMIC).health.findings) == 2
