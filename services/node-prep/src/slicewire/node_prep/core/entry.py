"""One claim in the journal: its plan, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from slicewire.common.model import TraceParent
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.steps import Notes, Step


class Asker(StrEnum):
    """Who wants the claim prepared, and so who says when it is over."""

    KUBELET = "kubelet"
    BUS = "bus"


class Stage(StrEnum):
    UNTOUCHED = "untouched"
    BEGUN = "begun"
    """It was to be done, and nobody knows whether it was."""
    DONE = "done"


class Progress(Object, frozen=True):
    """How far one step has come, and what must be known to undo it."""

    stage: Stage = Stage.UNTOUCHED
    notes: Notes = msgspec.field(default_factory=dict)


UNTOUCHED = Progress()
BEGUN = Progress(stage=Stage.BEGUN)


class Entry(Object, frozen=True):
    """`trace` is the context its preparation belongs to. `progress` has one value for each step."""

    state: State
    plan: PreparePlan
    asked_by: Asker
    trace: TraceParent = TraceParent("")
    progress: tuple[Progress, ...] = ()

    def at(self, index: int) -> Progress:
        return self.progress[index] if index < len(self.progress) else UNTOUCHED

    def steps(self) -> Iterator[tuple[Step, Progress]]:
        return ((step, self.at(index)) for index, step in enumerate(self.plan.steps))

    @property
    def has_processes(self) -> bool:
        """Whether something that is done for it may end by itself."""
        return any(step.MAY_END for step in self.plan.steps)

    @property
    def is_whole(self) -> bool:
        """Everything that was planned is there, as far as is known."""
        return all(progress.stage is Stage.DONE for _, progress in self.steps())

    def with_progress(self, index: int, progress: Progress) -> Entry:
        known = [self.at(number) for number in range(len(self.plan.steps))]
        known[index] = progress
        return msgspec.structs.replace(self, progress=tuple(known))

    def after_reboot(self) -> Entry:
        """What a reboot takes is not there to be undone, and is not ours where it is there again."""
        kept = tuple(progress if step.SURVIVES_REBOOT else UNTOUCHED for step, progress in self.steps())
        return msgspec.structs.replace(self, progress=kept)
