"""The last step of every plan: what container runtimes read."""

from __future__ import annotations

from typing import ClassVar

from slicewire.node_prep.core.steps.step import PlanStep


class WriteCdiFile(PlanStep, frozen=True, tag="writeCdiFile"):
    """For all devices of the claim. Its directory is usually emptied by a reboot, and not always."""

    SURVIVES_REBOOT: ClassVar[bool] = True
    UNDONE_FREELY: ClassVar[bool] = True
    IS_FILE: ClassVar[bool] = True

    claim: str

    @property
    def what(self) -> str:
        return f"write the CDI file of claim {self.claim}"
