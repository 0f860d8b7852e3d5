"""Nodes that Slicewire allocates are packed; of those of kube-scheduler is told what first fit gives."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.allocator.draft import Draft
from slicewire.allocator.view import View
from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    CLASSES,
    INVENTORY,
    KUBE_SCHEDULER,
    NODES,
    SLICEWIRE,
    Channel,
    ClassObserved,
    NodeObserved,
    PoolObserved,
)
from slicewire.common.model import NodeName, PoolName
from tests.builders import DRIVER, a_claim, a_class, a_gpu, devices_of


def a_view(allocation: str) -> View:
    """One node with a large card before a small one."""
    view = View()
    devices = (a_gpu(0, memory="80Gi"), a_gpu(1, memory="16Gi"))
    node = NodeName("a")
    facts: list[tuple[Channel[Any], Any]] = [
        (CLASSES, ClassObserved(device_class=a_class())),
        (NODES, NodeObserved(name=node, uid="uid-a", allocation=allocation)),
        (
            INVENTORY,
            PoolObserved(node=node, driver=DRIVER, pool=PoolName("a"), generation=1, devices=devices),
        ),
    ]
    for sequence, (channel, fact) in enumerate(facts, 1):
        view.hear(Heard(channel, channel.key(fact), fact, sequence, {}))
    return view


@pytest.mark.parametrize(("allocation", "device"), [(SLICEWIRE, "gpu-1"), (KUBE_SCHEDULER, "gpu-0")])
def test_what_a_claim_would_get_is_what_the_allocator_of_its_nodes_would_give(
    allocation: str, device: str
) -> None:
    reply = Draft(a_view(allocation)).explain(a_claim(1), allocation)

    assert reply.answer.allocation is not None
    assert devices_of([reply.answer.allocation]) == [device]


def test_what_if_is_asked_as_a_claim_would_be_answered() -> None:
    (answer,) = Draft(a_view(SLICEWIRE)).would_fit([a_claim(1)], [])

    assert answer.allocation is not None
    assert devices_of([answer.allocation]) == ["gpu-1"]
