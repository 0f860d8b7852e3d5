"""Asking for all devices: which these are on one node, and when nobody can say."""

from __future__ import annotations

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import ResourceClaim, Unsatisfiable
from tests.builders import (
    NODE,
    a_claim,
    a_gpu,
    a_pool,
    a_slice,
    a_snapshot,
    devices_of,
    everything,
    exactly,
    first_of,
)

LARGE = 'device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("80Gi")) >= 0'
NUMA = "gpu.nvidia.com/numa"


def given(snapshot: Snapshot, *claims: ResourceClaim) -> list[str]:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, tuple), answer
    return devices_of(answer)


def refused(snapshot: Snapshot, *claims: ResourceClaim) -> Unsatisfiable:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


def test_all_devices_that_match_are_given_or_none() -> None:
    claim = a_claim(all=everything(LARGE))
    devices = [a_gpu(0), a_gpu(1, memory="40Gi"), a_gpu(2)]

    assert given(a_snapshot(a_slice(devices)), claim) == ["gpu-0", "gpu-2"]
    assert refused(a_snapshot(a_slice(devices), used={"other": ["gpu-2"]}), claim).message == (
        "claim default/train asks for all devices of class gpu.nvidia.com; "
        "node-a has 2 that match, 1 of them free"
    )


def test_all_of_nothing_is_not_an_allocation() -> None:
    assert "node-a has no devices" in refused(a_snapshot(), a_claim(all=everything())).message


def test_all_devices_cannot_be_promised_while_a_pool_is_incomplete() -> None:
    snapshot = a_snapshot(*a_pool(gpus=1), a_slice([a_gpu()], pool="other", driver="nic.example.com", of=2))

    answer = allocate([a_claim(all=everything())], snapshot, NODE)

    assert answer == Fault(
        "claim default/train, request all: asks for all devices, but resource pool nic.example.com/other"
        " is currently being updated: 1 of 2 slices of generation 1 are published",
        node_only=True,
    )


def test_all_devices_that_cannot_be_together_are_a_fault() -> None:
    devices = [a_gpu(0, numa=0), a_gpu(1, numa=1)]

    answer = allocate([a_claim(match=NUMA, all=everything())], a_snapshot(a_slice(devices)), NODE)

    assert isinstance(answer, Fault)
    assert "cannot add device gpu.nvidia.com/node-a/gpu-1" in answer.message


def test_all_devices_must_not_be_more_than_a_claim_can_hold() -> None:
    snapshot = a_snapshot(*a_pool(gpus=33))

    assert isinstance(allocate([a_claim(all=everything())], snapshot, NODE), Fault)
    assert len(given(snapshot, a_claim(either=first_of(all=everything(), some=exactly(32))))) == 32
