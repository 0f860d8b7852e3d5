"""The files that describe a claim's devices. They are a courtesy: what the disk refuses is said, and the
claim is prepared without."""

from __future__ import annotations

from slicewire.common.logs import Log
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import Notes, WriteMetadata
from slicewire.node_prep.core.steps.metadata import WRITTEN
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.metadatafiles import MetadataFiles

_log = Log("node-prep")


class WritesMetadata:
    def __init__(self, metadata: MetadataFiles) -> None:
        self._metadata = metadata

    def ready(self, step: WriteMetadata, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        """Files under these names are ours: the claim's UID is in them. They are written over."""

    def do(self, step: WriteMetadata, plan: PreparePlan) -> Notes | PrepareRefusal:
        try:
            self._metadata.write(step.described)
        except DiskFault as fault:
            _log.warning("devices not described", claim=plan.claim, reason=str(fault))
            return {}
        return WRITTEN

    def undo(self, step: WriteMetadata, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        self._metadata.remove(step.described.claim)
        return None

    def found(self, step: WriteMetadata, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        return notes == WRITTEN and self._metadata.are_written(step.described)
