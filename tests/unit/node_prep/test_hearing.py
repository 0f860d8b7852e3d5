"""From facts to what a node knows, in any order and as often as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    INVENTORY,
    LEDGERS,
    PREPARED,
    ClaimPrepared,
    ClaimRef,
    Conflict,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
    Unreadable,
)
from slicewire.common.model import ClaimName, ClaimUID, DeviceID, DeviceName, Namespace, TraceParent
from slicewire.node_prep.core.node import Node
from slicewire.node_prep.hearing import Hearing, Picture, Told
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_claim, a_gpu, a_result

UID = ClaimUID("claim-1")
CLAIM = ClaimRef(uid=UID, namespace=Namespace("default"), name=ClaimName("named-claim-1"))
MOMENT_SECONDS, SOON_SECONDS = 0.005, 10.0
NOTHING = Picture(Node(name=NODE, driver=DRIVER))
TRACE = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def heard(channel: Any, fact: Any, sequence: int = 1, key: tuple[str, ...] = (NODE, DRIVER)) -> Heard[Any]:
    return Heard(channel, key, fact, sequence, {})


def prepared(sequence: int, error: str) -> Heard[Any]:
    fact = ClaimPrepared(node=NODE, claim=CLAIM, error=error) if error else None
    return heard(PREPARED, fact, sequence, (NODE, UID))


def test_a_ledger_becomes_allocations_and_rivals() -> None:
    entry = LedgerEntry(claim=CLAIM, results=(a_result(),), trace=TRACE, pod_uids=("pod-1",))
    conflict = Conflict(device=DeviceID(DRIVER, POOL, DeviceName("gpu-0")), claims=(CLAIM,))
    ledger = LedgerWritten(node=NODE, driver=DRIVER, entries=(entry,), conflicts=(conflict,))
    node = NOTHING.with_heard(heard(LEDGERS, ledger)).node
    allocation = node.allocation(UID)
    assert allocation is not None
    assert (allocation.claim, allocation.results, allocation.trace) == (a_claim(), (a_result(),), TRACE)
    assert allocation.pod_uids == ("pod-1",)
    assert node.rivals == {"gpu-0": (a_claim(),)}


def test_an_inventory_becomes_devices_and_what_could_not_be_read() -> None:
    unreadable = (Unreadable(what="gpu-7", reason="lost"),)
    pool = PoolObserved(
        node=NODE, driver=DRIVER, pool=POOL, generation=1, devices=(a_gpu(0),), unreadable=unreadable
    )
    node = NOTHING.with_heard(heard(INVENTORY, pool)).node
    assert (node.pool, node.devices, node.unreadable) == (POOL, {"gpu-0": a_gpu(0)}, {"gpu-7": "lost"})


def test_a_ledger_that_is_gone_holds_nothing_and_one_never_heard_of_says_nothing() -> None:
    assert NOTHING.node.allocations is None
    assert NOTHING.with_heard(heard(LEDGERS, None)).node.allocations == {}


def test_an_inventory_that_is_gone_is_as_before_it_was_heard() -> None:
    pool = PoolObserved(node=NODE, driver=DRIVER, pool=POOL, generation=1, devices=(a_gpu(0),))
    assert NOTHING.with_heard(heard(INVENTORY, pool)).with_heard(heard(INVENTORY, None)) == NOTHING


@given(st.permutations([(1, "one"), (2, ""), (3, "three"), (3, "three")]))
def test_of_our_own_facts_the_latest_counts_in_whatever_order_they_come(
    facts: Sequence[tuple[int, str]],
) -> None:
    picture = NOTHING
    for sequence, error in facts:
        picture = picture.with_heard(prepared(sequence, error))
    assert picture.told == {UID: Told(3, ClaimPrepared(node=NODE, claim=CLAIM, error="three"))}


async def test_changes_that_come_together_are_one() -> None:
    """And are told when whoever asked has the answer."""
    hearing = Hearing(NODE, DRIVER)
    waiting = asyncio.ensure_future(hearing.next_changes(0))
    for _ in range(3):
        await asyncio.sleep(0)
        await hearing.changed()
    assert await waiting == 3
    assert await hearing.next_changes(3, at_most_seconds=0.0) == 3


async def test_changes_are_told_once_nobody_waits_for_an_answer() -> None:
    hearing = Hearing(NODE, DRIVER)
    waiting = asyncio.ensure_future(hearing.next_changes(0))
    with hearing.asked():
        await hearing.changed()
        done, _ = await asyncio.wait([waiting], timeout=2 * MOMENT_SECONDS)
        assert not done
    assert await waiting == 1


async def test_changes_are_told_although_somebody_waits_for_long() -> None:
    hearing = Hearing(NODE, DRIVER)
    with hearing.asked():
        await hearing.changed()
        assert await asyncio.wait_for(hearing.next_changes(0), SOON_SECONDS) == 1
