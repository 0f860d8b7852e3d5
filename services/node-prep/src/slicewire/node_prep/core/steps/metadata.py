"""What a container may read of its devices (KEP-5304)."""

from __future__ import annotations

from typing import ClassVar

from slicewire.node_prep.core.described import Described
from slicewire.node_prep.core.steps.step import PlanStep

WRITTEN = {"written": "yes"}
"""Its notes where it was done: a disk that refuses the files keeps no claim from its devices."""


class WriteMetadata(PlanStep, frozen=True, tag="writeMetadata"):
    """A file for each request, and what mounts it."""

    SURVIVES_REBOOT: ClassVar[bool] = True
    UNDONE_FREELY: ClassVar[bool] = True
    IS_FILE: ClassVar[bool] = True

    described: Described

    @property
    def what(self) -> str:
        return f"describe the devices of claim {self.described.claim.uid}"
