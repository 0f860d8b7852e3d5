"""What all steps of a plan have in common. Pure: a step says what is to be, an executor makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from slicewire.common.model.struct import Object

Notes = Mapping[str, str]
"""What an executor must know again to undo a step, by names of its own. The journal keeps it."""


class PlanStep(Object, frozen=True, tag_field="step"):
    """One thing to be made true. Equal steps of several claims are one thing, undone with the last claim."""

    SURVIVES_REBOOT: ClassVar[bool] = False
    """Whether what was done may still be there on the next boot."""
    MAY_END: ClassVar[bool] = False
    """Whether what was done may end by itself, and is then done again: a process."""
    UNDONE_FREELY: ClassVar[bool] = False
    """Whether nothing is lost where it was taken back and nobody knows: the journal may say it later."""

    IS_FILE: ClassVar[bool] = False
    """Whether all that is done is files under names of ours, which may be written and deleted as often as one
    likes: they are begun together, in one write of the journal."""

    @property
    def what(self) -> str:
        """The step in words, such as `write the CDI file`."""
        raise NotImplementedError
