"""What makes the steps of one kind true, and takes them back. Everything blocks: it is called in a thread.

Each call may be the second of its kind, after a kill at any point of the first; twice is as good as once.
`NvmlRefused` and `DiskFault` may be raised anywhere: they are refusals, with their reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import Notes, PlanStep

S_contra = TypeVar("S_contra", bound=PlanStep, contravariant=True)


class Executor(Protocol[S_contra]):
    def ready(self, step: S_contra, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        """Before the step is written down as begun: None where it can be done, its notes where it is true
        already. What is there now was made by somebody else, and is left alone."""

    def do(self, step: S_contra, plan: PreparePlan) -> Notes | PrepareRefusal:
        """Make it true. It has been written down, so what is found half done is our own. Where it is
        refused, nothing of it is left."""

    def undo(self, step: S_contra, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        """Take it back. Without notes nobody knows whether it was done: look. What is not there is undone
        already; what is there and is another's is left alone."""

    def found(self, step: S_contra, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:
        """Whether it is still as it was done."""


@runtime_checkable
class KeepsProcesses(Protocol):
    """What makes steps true that may end by themselves."""

    def end_all_but(self, known: Sequence[PlanStep]) -> PrepareRefusal | None:
        """What runs and was started for none of these is ended. Nobody is at work meanwhile."""


Executors = Mapping[type[PlanStep], Executor[Any]]
