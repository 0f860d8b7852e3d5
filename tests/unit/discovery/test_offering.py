"""As what one GPU is offered, by what it is and what the policy says."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from slicewire.common.model import Quantity
from slicewire.common.nvml.facts import NvmlAbsent
from slicewire.common.nvml.partitions import Mig
from slicewire.discovery.core.inventory import Look, inventory
from slicewire.discovery.core.policy import Choice, Match, NodePolicy, Partitions, Rule
from tests.unit.discovery.builders import (
    DYNAMIC,
    GPU,
    MIG,
    VFIO,
    a_gpu,
    a_mig,
    a_node,
    a_place,
    an_instance,
    names_of,
    remarks,
    seen,
    the,
    values,
)

SMALL = [f"gpu-0-mig-1g10gb-19-{start}" for start in range(4)]
PARTS = [*SMALL, "gpu-0-mig-4g40gb-0-0"]
BOTH = Choice(offer=(GPU, VFIO))


def test_what_can_be_cut_on_demand_is_offered_whole_and_in_every_part_at_once() -> None:
    found = seen(a_node(a_gpu(mig=a_mig())), choice=DYNAMIC)
    assert names_of(found) == ["gpu-0", *PARTS]
    assert found.unseen == ()


def test_a_partition_draws_what_it_has_and_its_memory_slices_from_the_gpus_counters() -> None:
    found = seen(a_node(a_gpu(mig=a_mig())), choice=DYNAMIC)
    (taken,) = the(found, "gpu-0-mig-1g10gb-19-2").consumes_counters
    assert taken.counter_set == "gpu-0-counter-set"
    assert {name: counter.value.text for name, counter in taken.counters.items()} == {
        "multiprocessors": "16",
        "copy-engines": "1",
        "decoders": "1",
        "encoders": "0",
        "jpeg-engines": "1",
        "ofa-engines": "0",
        "memory": "10Gi",
        "memory-slice-2": "1",
    }


def test_the_whole_gpu_draws_all_of_its_counters() -> None:
    found = seen(a_node(a_gpu(mig=a_mig())), choice=DYNAMIC)
    (counters,) = found.shared_counters
    (taken,) = the(found, "gpu-0").consumes_counters
    assert (taken.counter_set, taken.counters) == (counters.name, counters.counters)
    assert the(found, "gpu-0").capacity["memory"].value == Quantity("40Gi")
    assert [name for name in counters.counters if name.startswith("memory-slice")] == [
        f"memory-slice-{at}" for at in range(4)
    ]


def test_partitions_only_where_the_policy_does_not_offer_the_whole() -> None:
    only_parts = Choice(offer=(MIG,), partitions=Partitions.DYNAMIC)
    found = seen(a_node(a_gpu(mig=a_mig())), choice=only_parts)
    assert names_of(found) == PARTS
    assert len(found.shared_counters) == 1


def test_an_ampere_gpu_in_mig_mode_is_offered_in_parts_only() -> None:
    found = seen(a_node(a_gpu(architecture="Ampere", mig=a_mig(enabled=True))), choice=DYNAMIC)
    assert names_of(found) == PARTS


def test_what_is_there_already_is_told_of_gpu_and_partition() -> None:
    mig = a_mig(an_instance(1, "MIG-a"), an_instance(3, number=2), enabled=True)
    found = seen(a_node(a_gpu(mig=mig)), choice=DYNAMIC)
    created = {name: values(the(found, name))["slicewire.dev/created"] for name in SMALL}
    assert created == dict(zip(SMALL, (False, True, False, False), strict=True))
    told = values(the(found, "gpu-0"))
    assert (told["slicewire.dev/migMode"], told["slicewire.dev/partitions"]) == ("enabled", 2)
    assert told["slicewire.dev/freeMemorySlices"] == 2


@pytest.mark.parametrize(
    ("enabled", "pending", "mode"),
    [(False, False, "disabled"), (False, True, "enabledAfterReset"), (True, False, "disabledAfterReset")],
)
def test_a_mode_that_waits_for_a_reset_is_told(enabled: bool, pending: bool, mode: str) -> None:
    found = seen(a_node(a_gpu(mig=a_mig(enabled=enabled, pending=pending))), choice=DYNAMIC)
    assert values(the(found, "gpu-0"))["slicewire.dev/migMode"] == mode


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"mig": None}, "NVIDIA H100 80GB HBM3 cannot be cut into partitions"),
        ({"mig": a_mig(), "is_vgpu": True}, "a part of a GPU that a hypervisor hands out"),
        ({"mig": Mig(enabled=False, pending=False)}, "the driver does not say where partitions may be"),
        ({"mig": a_mig(), "architecture": "Ampere"}, "turn MIG mode on and reset the GPU"),
    ],
)
def test_what_cannot_be_cut_on_demand_is_offered_whole_and_the_reason_is_said(
    known: dict[str, Any], words: str
) -> None:
    found = seen(a_node(a_gpu(**known)), choice=DYNAMIC)
    assert names_of(found) == ["gpu-0"]
    assert found.shared_counters == ()
    ((what, reason),) = remarks(found)
    assert what == "gpu-0"
    assert words in reason


def test_a_gpu_that_somebody_cut_is_offered_in_those_parts() -> None:
    mig = a_mig(an_instance(1, "MIG-a"), an_instance(3, "MIG-b", number=2), enabled=True)
    found = seen(a_node(a_gpu(mig=mig)))
    assert names_of(found) == [SMALL[1], SMALL[3]]
    part = the(found, SMALL[3])
    told = values(part)
    assert (told["uuid"], told["parentUUID"], told["profile"]) == ("MIG-b", "GPU-0", "1g.10gb")
    assert part.capacity["memorySlice3"].value == Quantity("1")
    assert part.consumes_counters == ()
    assert found.unseen == ()


def test_an_instance_that_nobody_can_use_is_said() -> None:
    mig = a_mig(
        an_instance(0),
        an_instance(1, "MIG-a", "MIG-b", number=2),
        an_instance(2, "MIG-c", number=3, profile=7),
        enabled=True,
    )
    found = seen(a_node(a_gpu(mig=mig)))
    assert names_of(found) == []
    assert [reason for _, reason in remarks(found)] == [
        "GPU instance 1 has no compute instance: nobody can use it",
        "GPU instance 2 is divided into several compute instances, which are not offered apart",
        "GPU instance 3 has profile 7, which the driver does not describe",
    ]


def test_a_cut_gpu_of_which_no_parts_are_offered_is_said() -> None:
    found = seen(a_node(a_gpu(mig=a_mig(enabled=True))), choice=Choice(offer=(GPU,)))
    ((what, reason),) = remarks(found)
    assert (what, found.devices) == ("gpu-0", ())
    assert "turn MIG mode off" in reason


def test_an_uncut_gpu_of_which_only_parts_are_offered_is_said() -> None:
    found = seen(a_node(a_gpu(mig=a_mig())), choice=Choice(offer=(MIG,)))
    assert remarks(found) == [("gpu-0", "MIG mode is off, and the node policy offers partitions only")]


def test_a_gpu_and_its_form_for_virtual_machines_draw_from_one_counter() -> None:
    found = seen(a_node(a_gpu()), a_place(), choice=BOTH)
    (counters,) = found.shared_counters
    assert {name: counter.value.text for name, counter in counters.counters.items()} == {"gpu": "1"}
    for name in ("gpu-0", "gpu-vfio-0"):
        (taken,) = the(found, name).consumes_counters
        assert (taken.counter_set, taken.counters) == (counters.name, counters.counters)


def test_a_virtual_machine_takes_all_of_what_can_be_cut() -> None:
    every = Choice(offer=(GPU, MIG, VFIO), partitions=Partitions.DYNAMIC)
    found = seen(a_node(a_gpu(mig=a_mig())), a_place(), choice=every)
    (counters,) = found.shared_counters
    assert names_of(found) == ["gpu-0", *PARTS, "gpu-vfio-0"]
    assert the(found, "gpu-vfio-0").consumes_counters[0].counters == counters.counters


def test_a_gpu_with_partitions_is_not_for_a_virtual_machine() -> None:
    mig = a_mig(an_instance(1, "MIG-a"), enabled=True)
    found = seen(a_node(a_gpu(mig=mig)), a_place(), choice=Choice(offer=(MIG, VFIO)))
    assert names_of(found) == [SMALL[1]]
    assert remarks(found) == [("gpu-0", "it cannot be given to a virtual machine while it has partitions")]


def test_a_gpu_for_virtual_machines_says_what_the_bus_knows_of_it() -> None:
    place = a_place(root="pci0000:64", numa="1")
    found = seen(
        a_node(a_gpu()),
        place,
        choice=Choice(offer=(VFIO,)),
        product_names={"0x2330": "GH100 [H100 SXM5 80GB]"},
        iommu_fd=True,
    )
    (device,) = found.devices
    assert values(device) == {
        "type": "vfio",
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, "0000:1a:00.0")),
        "deviceID": "0x2330",
        "vendorID": "0x10de",
        "productName": "GH100 [H100 SXM5 80GB]",
        "iommuFDEnabled": True,
        "resource.kubernetes.io/pciBusID": "0000:1a:00.0",
        "resource.kubernetes.io/pcieRoot": "pci0000:64",
        "resource.kubernetes.io/numaNode": 1,
    }


def test_while_a_virtual_machine_has_it_a_gpu_keeps_its_name_and_its_counter() -> None:
    before = seen(a_node(a_gpu(0), a_gpu(1)), a_place("1a"), a_place("1b"), choice=BOTH)
    bound = a_place("1b", driver="vfio-pci")
    during = seen(a_node(a_gpu(0)), a_place("1a"), bound, choice=BOTH, names=before.names)
    assert names_of(during) == ["gpu-0", "gpu-vfio-0", "gpu-vfio-1"]
    assert the(during, "gpu-vfio-1").consumes_counters == the(before, "gpu-vfio-1").consumes_counters
    assert during.shared_counters == before.shared_counters
    assert during.unseen == ()


def test_a_rule_for_a_product_holds_while_a_virtual_machine_has_it() -> None:
    rule = Rule(match=Match(product_names=("NVIDIA H100*",)), offer=(GPU, VFIO))
    before = inventory(Look(facts=a_node(a_gpu()), on_the_bus=(a_place(),)), NodePolicy(rules=(rule,)))
    bound = Look(facts=a_node(), on_the_bus=(a_place(driver="vfio-pci"),))
    during = inventory(bound, NodePolicy(rules=(rule,)), before.names)
    assert (names_of(before), names_of(during)) == (["gpu-0", "gpu-vfio-0"], ["gpu-vfio-0"])
    assert the(during, "gpu-vfio-0") == the(before, "gpu-vfio-0")


def test_what_cannot_be_told_of_a_gpu_for_virtual_machines_is_said() -> None:
    found = seen(a_node(a_gpu()), a_place(), choice=BOTH, product_names={"0x2330": "x" * 65})
    assert "productName" not in the(found, "gpu-vfio-0").attributes
    ((what, reason),) = remarks(found)
    assert what == "gpu-0"
    assert reason.startswith("gpu-vfio-0 productName: ")


def test_a_node_without_the_nvidia_driver_offers_its_gpus_to_virtual_machines() -> None:
    found = seen(
        NvmlAbsent("Driver Not Loaded"), a_place(driver=""), a_place("1b", driver="nouveau"), choice=BOTH
    )
    assert names_of(found) == ["gpu-vfio-0"]
    assert [what for what, _ in remarks(found)] == ["NVML", "0000:1b:00.0"]
