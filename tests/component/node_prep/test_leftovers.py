"""What claims that are no more have left on the node is found and removed; what is not theirs stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest

from slicewire.common.model import ClaimUID, Device, DeviceAllocationConfiguration
from slicewire.common.nvml.facts import TimeSlice
from slicewire.node_prep import files
from slicewire.node_prep.allocations import Allocations
from slicewire.node_prep.core.cdi import file_name
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.executors import Executors
from slicewire.node_prep.hearing import Hearing, Picture
from slicewire.node_prep.leftovers import ABANDONED_AFTER_SECONDS, Leftovers
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.turns import Turns
from tests.component.node_prep.workbench import SMALL, Workbench
from tests.unit.node_prep.builders import DRIVER, NODE, a_claim, a_config, a_node, a_result, an_allocation

pytestmark = pytest.mark.slow

UID = ClaimUID("claim-1")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Told(Hearing):
    """What the bus would say, said by the test."""

    def say(
        self, *devices: Device, held: bool, config: tuple[DeviceAllocationConfiguration, ...] = ()
    ) -> None:
        allocation = an_allocation(*(a_result(device.name) for device in devices), config=config)
        node = a_node(*devices, allocations={UID: allocation} if held else {})
        self._picture = Picture(node)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hearing() -> Told:
    return Told(NODE, DRIVER)


@asynccontextmanager
async def looked_for(
    node: Workbench, hearing: Told, clock: Clock, table: Executors | None = None
) -> AsyncIterator[Leftovers]:
    """By the next process."""
    node.preparation = node.another(table)
    allocations = Allocations(hearing, wait_seconds=0)
    node_prep = NodePrep(hearing, node.preparation, Turns(node.folder / "plugin"), allocations)
    async with node_prep.working():
        await node.preparation.resume()
        async with node_prep.answering(nullcontext()):
            yield Leftovers(node_prep, hearing, node.preparation, Asker.KUBELET, clock)


async def test_a_lost_journal_is_made_again_and_the_partition_is_still_ours(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    part = node.part(3)
    await node.prepared(part)
    before = node.instances(), (node.cdi_root / file_name(UID)).read_bytes()
    node.checkpoint.unlink()
    hearing.say(part, held=True)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert node.state_of() is State.COMPLETED
    assert (node.instances(), (node.cdi_root / file_name(UID)).read_bytes()) == before
    await node.removed()
    assert node.nothing_is_left()


async def test_a_partition_of_a_claim_that_nobody_knows_is_removed(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    part = node.part(3)
    await node.prepared(part)
    node.checkpoint.write_bytes(b"{")
    hearing.say(part, held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert node.nothing_is_left()


async def test_a_partition_that_others_made_is_left_when_such_a_claim_is_removed(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    node.by_another_hand(start=3)
    mig = node.gpu().mig
    assert mig is not None
    part = node.part(3, uuid=mig.instances[0].compute_instances[0].uuid)
    await node.prepared(part)
    node.checkpoint.unlink()
    hearing.say(part, held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert node.instances() == [(SMALL, 3, 1)]
    assert files.names(node.cdi_root) == ()


async def test_turns_that_such_a_claim_set_are_set_back(node: Workbench, hearing: Told, clock: Clock) -> None:
    long = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}
    await node.prepared(node.whole(), config=(a_config(sharing=long),))
    node.checkpoint.unlink()
    hearing.say(node.whole(), held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert node.gpu().time_slice is TimeSlice.DEFAULT
    assert node.nothing_is_left()


async def test_a_file_that_cannot_be_read_is_removed(node: Workbench, hearing: Told, clock: Clock) -> None:
    files.write(node.cdi_root / file_name(UID), b"{", 0o644)
    hearing.say(node.whole(), held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
    assert files.names(node.cdi_root) == ()


async def test_the_kubelets_claim_waits_for_the_kubelet_and_not_for_ever(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    part = node.part(3)
    await node.prepared(part)
    hearing.say(part, held=False)
    async with looked_for(node, hearing, clock) as leftovers:
        assert await leftovers.removed()
        clock.now = ABANDONED_AFTER_SECONDS - 1
        assert await leftovers.removed()
        assert node.state_of() is State.COMPLETED
        clock.now = ABANDONED_AFTER_SECONDS
        assert await leftovers.removed()
    assert node.nothing_is_left()


async def test_a_claim_that_is_held_again_was_not_abandoned(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    part = node.part(3)
    await node.prepared(part)
    async with looked_for(node, hearing, clock) as leftovers:
        for held in (False, True, False):
            hearing.say(part, held=held)
            clock.now += ABANDONED_AFTER_SECONDS - 1
            assert await leftovers.removed()
    assert node.state_of() is State.COMPLETED


async def test_what_could_not_be_made_again_on_start_is_made_when_it_can_be(
    node: Workbench, hearing: Told, clock: Clock
) -> None:
    """The driver is often installed after the node is up."""
    part = node.part(3)
    await node.prepared(part)
    await node.rebooted()
    hearing.say(part, held=True)
    node.state.change(lambda state: state.with_driver("driver not loaded"))
    async with looked_for(node, hearing, clock) as leftovers:
        assert await node.preparation.restore(UID) is not None
        assert not await leftovers.removed()
        node.state.change(lambda state: state.with_driver())
        assert await leftovers.removed()
    assert node.instances() == [(SMALL, 3, 1)]
    assert a_claim().uid in node.preparation.checkpoint.entries
