"""From what was seen to what is offered: everything that can be, and a reason for everything else."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.nvml.facts import GpuFacts, NvmlAbsent, Unseen
from slicewire.discovery.core.inventory import Look, inventory
from slicewire.discovery.core.policy import Choice, Match, NodePolicy, Partitions, Rule
from tests.unit.discovery.builders import (
    DYNAMIC,
    GPU,
    VFIO,
    a_gpu,
    a_mig,
    a_node,
    a_place,
    names_of,
    remarks,
    seen,
)


def test_devices_are_named_by_minor_and_ordered_by_bus() -> None:
    node = a_node(
        a_gpu(10, pci_bus_id="00000000:1A:00.0"),
        a_gpu(2, pci_bus_id="00000000:4A:00.0"),
        a_gpu(0, pci_bus_id="00000000:1B:00.0"),
    )
    assert names_of(seen(node)) == ["gpu-10", "gpu-0", "gpu-2"]


def test_a_gpu_that_cannot_be_read_is_unseen_and_the_others_are_offered() -> None:
    lost = Unseen("GPU 1", "GPU is lost", "00000000:1B:00.0")
    found = seen(a_node(a_gpu(0), unseen=(lost,)), a_place("1a"), a_place("1b"))
    assert names_of(found) == ["gpu-0"]
    assert found.unseen == (lost,)


def test_a_part_of_a_gpu_that_cannot_be_read_is_said_and_the_gpu_is_offered() -> None:
    unread = Unseen("GPU 0 NVLink", "Unknown Error", "00000000:1A:00.0")
    found = seen(a_node(a_gpu(0, unread=(unread,))))
    assert names_of(found) == ["gpu-0"]
    assert found.unseen == (unread,)


def test_without_nvml_there_are_no_devices_and_its_reason() -> None:
    found = seen(NvmlAbsent("Driver Not Loaded"))
    assert (found.devices, found.unseen) == ((), (Unseen("NVML", "Driver Not Loaded"),))


def test_a_gpu_on_the_bus_that_nvml_does_not_have_is_said_with_who_has_it() -> None:
    found = seen(a_node(a_gpu(0)), a_place("1a"), a_place("1b", driver="vfio-pci"), a_place("4a", driver=""))
    assert [(what, reason.partition("; ")[2]) for what, reason in remarks(found)] == [
        ("0000:1b:00.0", "kernel driver vfio-pci has it"),
        ("0000:4a:00.0", "no driver has it"),
    ]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (a_gpu(1, mig=a_mig(enabled=True)), "MIG mode is on and there are no partitions"),
        (a_gpu(1, pci_bus_id="bus 27"), "'bus 27' is not domain:bus:device.function"),
        (a_gpu(1, uuid=""), "no UUID"),
        (a_gpu(1, uuid="G" * 65), "longer than the 64 bytes"),
        (a_gpu(1, memory_bytes=-1), "memory of -1 bytes is negative"),
        (a_gpu(-1), "minor number -1"),
        (a_gpu(0, uuid="GPU-x", pci_bus_id="00000000:1B:00.0"), "minor number 0 is also that of GPU-0"),
        (a_gpu(1, uuid="GPU-0"), "GPU-0 is also the UUID of gpu-0"),
        (a_gpu(1, pci_bus_id="00000000:1A:00.0"), "PCI bus id 0000:1a:00.0 is also that of gpu-0"),
    ],
)
def test_a_gpu_that_cannot_be_offered_is_said_and_the_first_is_offered(second: GpuFacts, words: str) -> None:
    found = seen(a_node(a_gpu(0), second))
    assert names_of(found) == ["gpu-0"]
    ((what, reason),) = remarks(found)
    assert what == f"gpu-{second.minor}"
    assert words in reason


def test_an_odd_value_costs_the_value_not_the_gpu() -> None:
    found = seen(a_node(a_gpu(0, cuda_compute_capability="?")))
    assert names_of(found) == ["gpu-0"]
    assert [what for what, _ in remarks(found)] == ["gpu-0 cudaComputeCapability"]


def test_each_gpu_is_offered_as_the_policy_says_of_it() -> None:
    node = a_node(*(a_gpu(minor, mig=a_mig()) for minor in range(4)))
    policy = NodePolicy(
        rules=(
            Rule(match=Match(names=("gpu-0",)), partitions=Partitions.DYNAMIC),
            Rule(match=Match(pci_bus_ids=("0000:1b:00.0",)), offer=(VFIO,)),
            Rule(match=Match(uuids=("GPU-2",)), shares=4),
            Rule(match=Match(names=("gpu-3",)), offer=()),
        )
    )
    found = inventory(Look(facts=node, on_the_bus=(a_place("1a"), a_place("1b"))), policy)
    assert names_of(found) == [
        "gpu-0",
        *(f"gpu-0-mig-1g10gb-19-{start}" for start in range(4)),
        "gpu-0-mig-4g40gb-0-0",
        "gpu-vfio-1",
        "gpu-2",
    ]
    assert [one.name for one in found.shared_counters] == ["gpu-0-counter-set"]
    assert [device.allow_multiple_allocations for device in found.devices] == [None] * 7 + [True]
    assert remarks(found) == [("gpu-3", "the node policy offers nothing of it")]


def test_a_gpu_that_cannot_be_cut_is_offered_whole_where_partitions_are_wanted() -> None:
    found = seen(a_node(a_gpu(0, product_name="NVIDIA L40S")), choice=DYNAMIC)
    assert names_of(found) == ["gpu-0"]
    ((what, reason),) = remarks(found)
    assert (what, reason) == (
        "gpu-0",
        "the node policy wants dynamic partitions: NVIDIA L40S cannot be cut into partitions",
    )


def test_a_gpu_keeps_its_name_when_nvml_numbers_it_otherwise() -> None:
    before = seen(a_node(a_gpu(0), a_gpu(1)))
    swapped = (msgspec.structs.replace(a_gpu(0), minor=1), msgspec.structs.replace(a_gpu(1), minor=0))
    after = seen(a_node(*swapped), names=before.names)
    uuids = {device.name: device.attributes["uuid"].string for device in after.devices}
    assert uuids == {"gpu-0": "GPU-0", "gpu-1": "GPU-1"}


def test_only_what_is_offered_as_two_things_draws_from_a_counter() -> None:
    node = a_node(a_gpu(0))
    assert seen(node, a_place()).shared_counters == ()
    assert seen(node, a_place(), choice=Choice(offer=(VFIO,))).shared_counters == ()
    assert len(seen(node, a_place(), choice=Choice(offer=(GPU, VFIO))).shared_counters) == 1
