"""Steps that fail, at every place: what was done before is undone in reverse, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    CreateGpuInstance,
    Notes,
    PlanStep,
    TurnMigModeOn,
    WriteCdiFile,
)
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import Executor, executors
from slicewire.node_prep.files import DiskFault
from tests.component.node_prep.workbench import SMALL, Workbench

pytestmark = pytest.mark.slow

CUT = (TurnMigModeOn, CreateGpuInstance, CreateComputeInstance, WriteCdiFile)


class Failing:
    """An executor that raises where it is told to, and notes what it was asked."""

    def __init__(self, inner: Executor[Any], asked: list[str], raises: dict[str, Exception]) -> None:
        self._inner = inner
        self._asked = asked
        self._raises = raises

    def ready(self, step: PlanStep, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        self._on("ready", step)
        return self._inner.ready(step, plan)

    def do(self, step: PlanStep, plan: PreparePlan) -> Notes | PrepareRefusal:
        self._on("do", step)
        return self._inner.do(step, plan)

    def undo(self, step: PlanStep, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        self._on("undo", step)
        return self._inner.undo(step, plan, notes)

    def found(self, step: PlanStep, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:
        return self._inner.found(step, plan, notes)

    def _on(self, call: str, step: PlanStep) -> None:
        self._asked.append(f"{call} {type(step).__name__}")
        if call in self._raises:
            raise self._raises[call]


def failing(node: Workbench, kind: type[PlanStep] | None, **raises: Exception) -> list[str]:
    """The node's steps of this kind fail so; what any step is asked is in the list."""
    asked: list[str] = []
    known = executors(node.nvml, DriverRoot(node.nvml), node.cdi_root)
    node.preparation = node.another(
        {each: Failing(one, asked, raises if each is kind else {}) for each, one in known.items()}
    )
    return asked


REFUSED = NvmlRefused(NvmlCode.INSUFFICIENT_RESOURCES, "create it")


async def test_the_steps_are_done_in_order_and_undone_in_reverse(node: Workbench) -> None:
    asked = failing(node, None)
    await node.prepared(node.part(0))
    assert asked == [f"{call} {kind.__name__}" for kind in CUT for call in ("ready", "do")]
    asked.clear()
    await node.removed()
    assert asked == [f"undo {kind.__name__}" for kind in reversed(CUT)]


@pytest.mark.parametrize("call", ["ready", "do"])
@pytest.mark.parametrize("place", range(len(CUT)))
async def test_a_step_that_is_refused_leaves_nothing(node: Workbench, place: int, call: str) -> None:
    asked = failing(node, CUT[place], **{call: REFUSED})
    assert await node.prepare(node.part(0)) == PrepareRefusal(
        Why.BUSY,
        "create it: something that no claim of this node made has taken the place or the engines",
    )
    assert [one for one in asked if one.startswith("undo")] == [
        f"undo {kind.__name__}" for kind in reversed(CUT[:place])
    ]
    assert node.nothing_is_left()


@pytest.mark.parametrize("place", range(len(CUT)))
async def test_a_step_that_breaks_is_undone_too_for_nobody_knows_how_far_it_came(
    node: Workbench, place: int
) -> None:
    asked = failing(node, CUT[place], do=ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await node.prepare(node.part(0))
    assert f"undo {CUT[place].__name__}" in asked
    assert node.nothing_is_left()


async def test_what_the_disk_refuses_is_the_claims_refusal(node: Workbench) -> None:
    failing(node, WriteCdiFile, do=DiskFault("writing it: No space left on device"))
    assert await node.prepare(node.part(0)) == PrepareRefusal(Why.DISK, "writing it: No space left on device")
    assert node.nothing_is_left()


async def test_what_could_not_be_undone_is_kept_and_nothing_before_it_is_touched(node: Workbench) -> None:
    await node.prepared(node.part(0))
    asked = failing(node, CreateComputeInstance, undo=REFUSED)
    await node.preparation.resume()
    assert (await node.preparation.remove(_uid(node))) is not None
    assert asked == ["undo WriteCdiFile", "undo CreateComputeInstance"]
    assert node.state_of() is State.UNDOING
    assert node.instances() == [(SMALL, 0, 1)]
    await node.killed_and_started()
    assert node.nothing_is_left()


async def test_a_claim_refused_whose_undoing_fails_is_refused_for_the_first_reason(node: Workbench) -> None:
    node.preparation = node.another(
        {
            WriteCdiFile: Failing(_executor(node, WriteCdiFile), [], {"do": DiskFault("no space")}),
            CreateGpuInstance: Failing(_executor(node, CreateGpuInstance), [], {"undo": REFUSED}),
        }
    )
    assert await node.prepare(node.part(0)) == PrepareRefusal(Why.DISK, "no space")
    assert node.state_of() is State.UNDOING
    assert node.instances() == [(SMALL, 0, 0)]
    await node.killed_and_started()
    assert node.nothing_is_left()


async def test_nothing_is_done_that_is_done_already(node: Workbench) -> None:
    await node.prepared(node.part(0))
    before = node.checkpoint.stat().st_ino
    asked = failing(node, None)
    await node.preparation.resume()
    assert await node.preparation.restore(_uid(node)) is None
    assert asked == []
    assert node.checkpoint.stat().st_ino == before


def _executor(node: Workbench, kind: type[PlanStep]) -> Executor[Any]:
    return executors(node.nvml, DriverRoot(node.nvml), node.cdi_root)[kind]


def _uid(node: Workbench) -> Any:
    [uid] = node.preparation.checkpoint.entries
    return uid
