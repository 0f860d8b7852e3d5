"""GPUs and partitions that several claims may have at once."""

from __future__ import annotations

import pytest

from slicewire.common.model import Quantity, wire
from slicewire.discovery.core.policy import Choice, Partitions, Shares
from tests.unit.discovery.builders import GPU, VFIO, a_gpu, a_mig, a_node, a_place, seen, the

MEMORY = 81559 * 1024**2 + 1
"""Not in whole MiB."""


def _capacity(shares: Shares) -> dict[str, object]:
    device = the(seen(a_node(a_gpu(memory_bytes=MEMORY)), choice=Choice(shares=shares)), "gpu-0")
    assert device.allow_multiple_allocations
    return dict(wire.to_builtins(device.capacity))


def _policy(default: str, least: str, most: str, step: str) -> dict[str, object]:
    return {"default": default, "validRange": {"min": least, "max": most, "step": step}}


def test_unlimited_lets_any_number_in() -> None:
    assert _capacity("unlimited") == {
        "memory": {"value": "81559Mi", "requestPolicy": _policy("0", "0", "81559Mi", "1Mi")}
    }


def test_memory_gives_all_to_who_does_not_say_how_much() -> None:
    assert _capacity("memory") == {
        "memory": {"value": "81559Mi", "requestPolicy": _policy("81559Mi", "1Mi", "81559Mi", "1Mi")}
    }


def test_a_number_is_so_many_shares_and_one_for_each() -> None:
    assert _capacity(4) == {
        "memory": {"value": "81559Mi", "requestPolicy": _policy("0", "0", "81559Mi", "1Mi")},
        "shares": {"value": "4", "requestPolicy": _policy("1", "1", "4", "1")},
    }


def test_what_is_not_shared_is_exact_and_exclusive() -> None:
    device = the(seen(a_node(a_gpu(memory_bytes=MEMORY))), "gpu-0")
    assert device.allow_multiple_allocations is None
    assert device.capacity["memory"].value == Quantity.of(MEMORY)


def test_less_than_a_mebibyte_cannot_be_shared_out() -> None:
    device = the(seen(a_node(a_gpu(memory_bytes=1024)), choice=Choice(shares="unlimited")), "gpu-0")
    assert wire.to_builtins(device.capacity) == {"memory": {"value": "1Ki"}}


@pytest.mark.parametrize("partitions", list(Partitions))
def test_partitions_are_shared_too(partitions: Partitions) -> None:
    found = seen(a_node(a_gpu(mig=a_mig())), choice=Choice(partitions=partitions, shares=2))
    assert {device.allow_multiple_allocations for device in found.devices} == {True}


def test_a_gpu_for_a_virtual_machine_is_never_shared() -> None:
    found = seen(a_node(a_gpu()), a_place(), choice=Choice(offer=(GPU, VFIO), shares=2))
    assert the(found, "gpu-0").allow_multiple_allocations
    assert the(found, "gpu-vfio-0").allow_multiple_allocations is None
