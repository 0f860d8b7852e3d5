"""The CDI file of a claim, as the plan and the driver have it now."""

from __future__ import annotations

from pathlib import Path

from slicewire.common.model import ClaimUID
from slicewire.node_prep import files
from slicewire.node_prep.core import cdi, mpsclients
from slicewire.node_prep.core.hardware import Partition, VfioFunction
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import Notes, WriteCdiFile
from slicewire.node_prep.driverroot import DriverRoot, Wanted
from slicewire.node_prep.files import READABLE_BY_ALL, Kept

_KEPT = Kept.UNTIL_A_POWER_CUT
"""No container outlives one, and every start makes the files again that are not as they should be."""


class WritesCdiFiles:
    def __init__(self, driver: DriverRoot, cdi_root: Path, mps_root: Path) -> None:
        self._driver = driver
        self._cdi_root = cdi_root
        self._mps_root = mps_root

    def ready(self, step: WriteCdiFile, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        """A file under this name is ours: the claim's UID is in it. It is written over."""

    def do(self, step: WriteCdiFile, plan: PreparePlan) -> Notes | PrepareRefusal:
        content = self._content(plan)
        if isinstance(content, PrepareRefusal):
            return content
        files.write_if_changed(self._path(step), content, READABLE_BY_ALL, _KEPT)
        return {}

    def undo(self, step: WriteCdiFile, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        files.delete(self._path(step), _KEPT)
        return None

    def found(self, step: WriteCdiFile, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        content = self._content(plan)
        return content if isinstance(content, PrepareRefusal) else files.read(self._path(step)) == content

    def _path(self, step: WriteCdiFile) -> Path:
        return self._cdi_root / cdi.file_name(ClaimUID(step.claim))

    def _content(self, plan: PreparePlan) -> bytes | PrepareRefusal:
        kinds = {type(one.hardware) for one in plan.devices}
        driver = self._driver.look(Wanted(partitions=Partition in kinds, machines=VfioFunction in kinds))
        spec = cdi.spec(plan, driver, mpsclients.edits(plan, str(self._mps_root)))
        return spec if isinstance(spec, PrepareRefusal) else cdi.encode(spec)
