"""Steps for a whole GPU."""

from __future__ import annotations

from typing import ClassVar

from slicewire.node_prep.core.config import Interval
from slicewire.node_prep.core.steps.step import PlanStep


class FindGpu(PlanStep, frozen=True, tag="findGpu"):
    """It answers under this UUID, in whatever mode. Nothing is changed."""

    UNDONE_FREELY: ClassVar[bool] = True

    gpu: str

    @property
    def what(self) -> str:
        return f"find {self.gpu}"


class TurnMigModeOff(PlanStep, frozen=True, tag="turnMigModeOff"):
    """A GPU that is cut, or about to be, cannot be had whole. Stays so when the claim is over."""

    UNDONE_FREELY: ClassVar[bool] = True

    gpu: str

    @property
    def what(self) -> str:
        return f"have {self.gpu} in one piece"


class SetTimeSlice(PlanStep, frozen=True, tag="setTimeSlice"):
    """Any number of processes take turns of this length; of the default length when the claim is over."""

    gpu: str
    interval: Interval

    @property
    def what(self) -> str:
        return f"set the time-slice of {self.gpu} to {self.interval}"
