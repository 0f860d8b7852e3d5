"""The checkpoint as a value and as a file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep.core.checkpoint import (
    Asker,
    Checkpoint,
    Corrupt,
    Recalled,
    decode,
    encode,
)
from slicewire.node_prep.core.lifecycle import State, WrongStep
from tests.unit.node_prep.builders import a_claim, a_plan

ONE, TWO = ClaimUID("claim-1"), ClaimUID("claim-2")
TRACE = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def reserved(*minors: int, uid: ClaimUID = ONE, on: Checkpoint | None = None) -> Checkpoint:
    plan = a_plan(*minors, claim=a_claim(uid))
    return (on or Checkpoint()).with_reserved(plan, Asker.KUBELET, TRACE)


def written(checkpoint: Checkpoint) -> dict[str, Any]:
    document = json.loads(encode(checkpoint))
    assert isinstance(document, dict)
    return document


def test_a_reserved_claim_holds_its_devices_but_is_not_prepared() -> None:
    checkpoint = reserved(0)
    assert checkpoint.holders(but=TWO) == {"gpu-0": a_claim()}
    assert checkpoint.completed(ONE) is None
    assert [entry.plan.claim.uid for entry in checkpoint.in_state(State.STARTED)] == [ONE]


def test_a_claim_does_not_stand_in_its_own_way() -> None:
    assert reserved(0).holders(but=ONE) == {}


def test_admin_access_holds_nothing() -> None:
    checkpoint = Checkpoint().with_reserved(a_plan(0, admin_access=True), Asker.BUS, TRACE)
    assert checkpoint.holders(but=TWO) == {}


def test_a_prepared_claim_keeps_its_plan_its_trace_and_who_asked() -> None:
    entry = reserved(0, 1).with_prepared(ONE).completed(ONE)
    assert entry is not None
    assert (entry.plan, entry.trace, entry.asked_by) == (a_plan(0, 1), TRACE, Asker.KUBELET)


def test_reserve_then_remove_gives_the_first_checkpoint_back() -> None:
    before = reserved(1, uid=TWO)
    assert reserved(0, on=before).without(ONE) == before


def test_steps_out_of_order_are_bugs() -> None:
    with pytest.raises(WrongStep):
        reserved(0, on=reserved(0))
    with pytest.raises(WrongStep):
        Checkpoint().without(ONE)
    with pytest.raises(WrongStep):
        reserved(0).with_prepared(ONE).with_prepared(ONE)


def test_a_change_that_could_not_be_kept_is_taken_back_for_its_claim_alone() -> None:
    before = reserved(0)
    after = reserved(1, uid=TWO, on=before).with_prepared(ONE)
    assert after.with_claim_as_in(before, ONE) == reserved(1, uid=TWO, on=before)
    assert after.with_claim_as_in(before, TWO) == before.with_prepared(ONE)


@given(st.lists(st.sampled_from([ONE, TWO]), unique=True), st.booleans())
def test_what_is_written_is_what_is_read(uids: list[ClaimUID], prepared: bool) -> None:
    checkpoint = Checkpoint()
    for minor, uid in enumerate(uids):
        checkpoint = reserved(minor, uid=uid, on=checkpoint)
        checkpoint = checkpoint.with_prepared(uid) if prepared else checkpoint
    assert decode(encode(checkpoint)) == Recalled(checkpoint, {})


def test_equal_checkpoints_are_equal_bytes() -> None:
    one_two = reserved(1, uid=TWO, on=reserved(0, uid=ONE))
    two_one = reserved(0, uid=ONE, on=reserved(1, uid=TWO))
    assert encode(one_two) == encode(two_one)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    document = written(reserved(0))
    document["bootID"] = "x"
    document["claims"][ONE]["later"] = {"a": [1]}
    document["claims"][ONE]["plan"]["devices"][0]["hardware"]["later"] = True
    assert decode(json.dumps(document).encode()) == Recalled(reserved(0), {})


def test_an_entry_that_cannot_be_read_costs_only_itself() -> None:
    document = written(reserved(1, uid=TWO, on=reserved(0)))
    document["claims"][TWO]["plan"]["devices"][0]["hardware"]["kind"] = "dpu"
    found = decode(json.dumps(document).encode())
    assert isinstance(found, Recalled)
    assert found.checkpoint == reserved(0)
    assert "dpu" in found.unreadable[TWO]


def test_an_entry_under_the_wrong_uid_is_not_believed() -> None:
    document = written(reserved(0))
    document["claims"][TWO] = document["claims"].pop(ONE)
    found = decode(json.dumps(document).encode())
    assert found == Recalled(Checkpoint(), {TWO: "plan.claim.uid: claim-1 stands under claim-2"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Input data was truncated"),
        (b'{"version": 1, "claims": {"claim-1"', "truncated"),
        (b"\x00\x00\x00\x00", "invalid"),
        (b'{"claims": {}}', "version"),
        (b'{"version": 2, "claims": {}}', "version: 2 is not 1"),
        (b'[{"version": 1}]', "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_checkpoint_is_corrupt_with_the_reason(data: bytes, said: str) -> None:
    found = decode(data)
    assert isinstance(found, Corrupt)
    assert said in found.reason
