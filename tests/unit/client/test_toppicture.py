"""The picture of `slicewire top`: rows and totals of what was heard, in any order, of a large fleet too."""

from __future__ import annotations

import itertools
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from slicewire.client.toppicture import Choice, Frame, Only, Picture, Sort
from slicewire.client.topscreen import drawn, rows_for
from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    LEDGERS,
    PREPARED,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ClaimRef,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
    Unreadable,
)
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    DeviceTaint,
    Namespace,
    NodeName,
    ObjectMeta,
    PoolName,
    RequestName,
    ResourceClaim,
    Unsatisfiable,
)
from slicewire.common.model import DeviceRequestAllocationResult as Result
from tests.builders import DRIVER, a_gpu

ALL = Choice(sort=Sort.NODE)
_numbers = itertools.count(1)


def heard(channel: Channel[Any], fact: Any, *key: str) -> Heard[Any]:
    return Heard(channel, key or channel.key(fact), fact, next(_numbers), {})


def pool(node: str, gpus: int = 4, sick: int = 0, unreadable: int = 0) -> Heard[Any]:
    taint = DeviceTaint(key="gpu.nvidia.com/xid", effect="NoSchedule")
    devices = [a_gpu(at, taints=(taint,) if at < sick else (), productName="H100") for at in range(gpus)]
    gaps = tuple(Unreadable(f"gpu {n}", "is lost") for n in range(unreadable))
    fact = PoolObserved(
        node=NodeName(node),
        driver=DRIVER,
        pool=PoolName(node),
        generation=1,
        devices=tuple(devices),
        unreadable=gaps,
    )
    return heard(INVENTORY, fact)


def ref(uid: str) -> ClaimRef:
    return ClaimRef(uid=ClaimUID(uid), namespace=Namespace("ns"), name=ClaimName(uid))


def ledger(node: str, **devices: int) -> Heard[Any]:
    entries = tuple(
        LedgerEntry(
            claim=ref(uid),
            results=(
                Result(request=RequestName("r"), driver=DRIVER, pool=PoolName(node), device=a_gpu(at).name),
            ),
        )
        for uid, at in devices.items()
    )
    return heard(LEDGERS, LedgerWritten(node=NodeName(node), driver=DRIVER, entries=entries))


def prepared(node: str, uid: str, error: str = "") -> Heard[Any]:
    return heard(PREPARED, ClaimPrepared(node=NodeName(node), claim=ref(uid), error=error))


def picture(*facts: Heard[Any]) -> Picture:
    made = Picture()
    for fact in facts:
        made.hear(fact)
    return made


def text(frame: Frame, width: int = 100) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(drawn(frame))
    return captured.get()


def test_a_node_is_a_row_with_what_is_held_free_and_sick() -> None:
    frame = picture(pool("a", 4, sick=1), ledger("a", one=2), prepared("a", "one")).frame(ALL)
    (row,) = frame.rows
    assert (row.devices, row.held, row.free, row.sick) == (4, 1, 2, 1)
    assert (row.claims, row.prepared, row.failed, row.product) == (1, 1, 0, "H100")
    assert row.note == "gpu-0: gpu.nvidia.com/xid"
    assert (frame.devices, frame.held, frame.free, frame.sick) == (4, 1, 2, 1)


def test_what_has_ended_is_gone_from_the_picture() -> None:
    made = picture(pool("a"), ledger("a", one=0), prepared("a", "one", "boom"))
    assert made.frame(ALL).failed == 1
    for end in (
        heard(PREPARED, None, "a", "one"),
        heard(LEDGERS, None, "a", DRIVER),
        heard(INVENTORY, None, "a", DRIVER),
    ):
        made.hear(end)
    frame = made.frame(ALL)
    assert (frame.nodes, frame.devices, frame.held, frame.failed, frame.rows) == (0, 0, 0, 0, ())


def test_the_worst_nodes_come_first_and_the_rest_is_counted() -> None:
    made = picture(pool("well"), pool("sick", sick=2), pool("gone", unreadable=1), pool("bad"))
    made.hear(prepared("bad", "c", "no driver"))
    frame = made.frame(Choice(most=3))
    assert [row.node for row in frame.rows] == ["bad", "sick", "gone"]
    assert (frame.matching, frame.nodes) == (4, 4)
    assert "… and 1 more nodes" in text(frame)


def test_nodes_are_chosen_by_name_and_by_state() -> None:
    made = picture(pool("r1-a"), pool("r1-b", 1), pool("r2-a", sick=1), ledger("r1-b", one=0))
    chosen = {only: [row.node for row in made.frame(Choice(sort=Sort.NODE, only=only)).rows] for only in Only}
    assert chosen == {
        Only.ALL: ["r1-a", "r1-b", "r2-a"],
        Only.BAD: ["r2-a"],
        Only.FREE: ["r1-a", "r2-a"],
        Only.FULL: ["r1-b"],
    }
    assert [row.node for row in made.frame(Choice(name="r1-*", sort=Sort.FREE)).rows] == ["r1-a", "r1-b"]
    assert made.frame(Choice(sort=Sort.HELD)).rows[0].node == "r1-b"


def test_claims_that_wait_are_told_with_the_reason() -> None:
    claim = ResourceClaim(metadata=ObjectMeta(name="big", namespace="ns", uid="u"))
    answer = ClaimAnswered(claim=ref("u"), refusal=Unsatisfiable(message="9 devices, and no node has 9"))
    made = picture(heard(CLAIMS, ClaimObserved(claim=claim)), heard(ANSWERS, answer))
    frame = made.frame(ALL)
    assert (frame.claims, frame.waiting) == (1, 1)
    assert "waiting  ns/u: 9 devices, and no node has 9" in text(frame)
    made.hear(heard(ANSWERS, None, "u"))
    made.hear(heard(CLAIMS, None, "u"))
    assert (made.frame(ALL).claims, made.frame(ALL).waiting) == (0, 0)


def test_facts_and_lag_are_those_since_the_frame_before() -> None:
    made = picture(pool("a"))
    made.hear(pool("b"), lag_ms=40)
    made.hear(pool("c"), lag_ms=7)
    first, second = made.frame(ALL), made.frame(ALL)
    assert (first.facts, first.lag_ms) == (3, 40)
    assert (second.facts, second.lag_ms) == (0, 0)


FACTS = st.sampled_from("ab").flatmap(
    lambda node: st.one_of(
        st.builds(pool, st.just(node), st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)),
        st.builds(lambda at: ledger(node, one=at), st.integers(0, 2)),
        st.builds(prepared, st.just(node), st.sampled_from("xy"), st.sampled_from(["", "boom"])),
        st.just(heard(INVENTORY, None, node, DRIVER)),
        st.just(heard(PREPARED, None, node, "x")),
    )
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(FACTS, max_size=12))
def test_what_is_drawn_bit_by_bit_is_what_is_drawn_at_once(facts: list[Heard[Any]]) -> None:
    slowly = Picture()
    for fact in facts:
        slowly.hear(fact)
        slowly.frame(ALL)
    still = {"facts": 0, "lag_ms": 0}
    quickly = picture(*facts).frame(ALL)
    assert msgspec.structs.replace(slowly.frame(ALL), **still) == msgspec.structs.replace(quickly, **still)


@pytest.mark.slow
def test_five_thousand_nodes_are_a_screen_and_cheap() -> None:
    made = picture(*(pool(f"node-{n:04d}", 8, sick=n % 500 == 0) for n in range(5000)))
    made.frame(Choice())
    best = 1.0
    for _ in range(3):
        made.hear(pool("node-0007", 8))
        begun = time.process_time()
        frame = made.frame(Choice(most=rows_for(40, 0)))
        best = min(best, time.process_time() - begun)
    assert best < 0.25, f"{best} s of CPU for one frame"
    lines = text(frame).splitlines()
    assert len(lines) <= 40
    assert "5,000 nodes  40,000 devices" in lines[0]
    assert "node-0000" in lines[4]


def test_a_name_or_reason_from_outside_draws_nothing_of_its_own() -> None:
    made = picture(pool("a"), prepared("a", "c", "[bold]x[/bold]\x1b[2J\nnext"))
    shown = text(made.frame(ALL))
    assert "[bold]x" in shown
    assert "\x1b" not in shown
