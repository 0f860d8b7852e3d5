"""The checkpoint as a value and as a file."""

from __future__ import annotations

import pytest

from slicewire.common.model import ClaimUID
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import BEGUN, Asker, Progress, Stage
from slicewire.node_prep.core.lifecycle import State, WrongMove
from slicewire.node_prep.core.steps import TurnMigModeOff, WriteCdiFile
from tests.unit.node_prep.builders import TRACE, a_plan, prepared, reserved, uuid_of

ONE, TWO = ClaimUID("claim-1"), ClaimUID("claim-2")
NOTED = Progress(stage=Stage.DONE, notes={"gpuInstance": "7"})
WHOLE = TurnMigModeOff(gpu=uuid_of(0))


def held(checkpoint: Checkpoint, but: ClaimUID) -> list[tuple[str, ClaimUID]]:
    return [(one.planned.device, one.claim.uid) for one in checkpoint.holders(but)]


def test_a_reserved_claim_holds_its_devices_but_is_not_prepared() -> None:
    checkpoint = reserved(0)
    assert held(checkpoint, but=TWO) == [("gpu-0", ONE)]
    assert checkpoint.completed(ONE) is None
    assert [entry.plan.claim.uid for entry in checkpoint.in_state(State.STARTED)] == [ONE]


def test_a_claim_does_not_stand_in_its_own_way() -> None:
    assert held(reserved(0), but=ONE) == []


def test_a_claim_that_is_being_undone_holds_its_devices_still() -> None:
    assert held(reserved(0).with_undoing(ONE), but=TWO) == [("gpu-0", ONE)]


def test_admin_access_holds_nothing() -> None:
    checkpoint = Checkpoint().with_reserved(a_plan(0, admin_access=True), Asker.BUS, TRACE)
    assert held(checkpoint, but=TWO) == []


def test_a_prepared_claim_keeps_its_plan_its_trace_and_who_asked() -> None:
    entry = prepared(reserved(0, 1)).completed(ONE)
    assert entry is not None
    assert (entry.plan, entry.trace, entry.asked_by) == (a_plan(0, 1), TRACE, Asker.KUBELET)
    assert entry.is_whole


def test_reserve_then_undo_gives_the_first_checkpoint_back() -> None:
    before = reserved(1, uid=TWO)
    assert reserved(0, on=before).with_undoing(ONE).without(ONE) == before


def test_moves_out_of_order_are_bugs() -> None:
    with pytest.raises(WrongMove):
        reserved(0, on=reserved(0))
    with pytest.raises(WrongMove):
        reserved(0).without(ONE)
    with pytest.raises(WrongMove):
        reserved(0).with_undoing(ONE).with_prepared(ONE)


def test_progress_is_kept_for_each_step() -> None:
    entry = reserved(0).with_progress(ONE, 1, BEGUN).entries[ONE]
    assert [progress.stage for _, progress in entry.steps()] == [Stage.UNTOUCHED, Stage.BEGUN]
    assert not entry.is_whole


def test_the_same_step_of_another_claim_tells_what_it_knows_until_it_is_being_undone() -> None:
    both = reserved(0, uid=TWO, on=reserved(0)).with_progress(TWO, 0, NOTED)
    assert both.notes_of_others(WHOLE, but=ONE) == {"gpuInstance": "7"}
    assert both.notes_of_others(WHOLE, but=TWO) is None
    assert both.notes_of_others(TurnMigModeOff(gpu=uuid_of(1)), but=ONE) is None
    assert both.with_undoing(TWO).notes_of_others(WHOLE, but=ONE) is None
    assert both.with_progress(TWO, 0, BEGUN).notes_of_others(WHOLE, but=ONE) is None


def test_another_boot_leaves_only_the_progress_that_survives_it() -> None:
    checkpoint = prepared(reserved(0))
    assert checkpoint.on_boot("one").on_boot("one") == checkpoint.on_boot("one")
    entry = checkpoint.on_boot("one").on_boot("two").entries[ONE]
    assert [(type(step), progress.stage) for step, progress in entry.steps()] == [
        (TurnMigModeOff, Stage.UNTOUCHED),
        (WriteCdiFile, Stage.DONE),
    ]


@pytest.mark.parametrize(("before", "now"), [("", "one"), ("one", "")])
def test_a_machine_that_does_not_say_its_boot_was_not_rebooted(before: str, now: str) -> None:
    checkpoint = prepared(reserved(0)).on_boot(before)
    assert checkpoint.on_boot(now).entries == checkpoint.entries


def test_a_change_that_could_not_be_kept_is_taken_back_for_its_claim_alone() -> None:
    before = reserved(0)
    after = reserved(1, uid=TWO, on=before).with_prepared(ONE)
    assert after.with_claim_as_in(before, ONE) == reserved(1, uid=TWO, on=before)
    assert after.with_claim_as_in(before, TWO) == before.with_prepared(ONE)
