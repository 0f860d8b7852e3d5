"""What can be wrong with a GPU, and which of it a look alone tells.

Says nothing of what is done about it: that is `rules`, and an operator's to change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from slicewire.common.nvml.condition import Condition, RecoveryAction, SlowedBy
from slicewire.common.nvml.facts import GpuFacts


class Ailment(StrEnum):
    """By its name in the node policy file."""

    XID = "xid"
    """The driver reported an error of the GPU."""
    LOST = "gpuLost"
    """It fell off the bus, or out of the machine."""
    UNMONITORED = "unmonitored"
    """NVML failed to report what happens: errors may have been missed."""
    RECOVERY_ACTION = "recoveryAction"
    """The driver says what must be done to have it back."""
    UNCORRECTED_ECC = "uncorrectedEcc"
    ROW_REMAP_PENDING = "rowRemapPending"
    ROW_REMAP_FAILED = "rowRemapFailed"
    PAGE_RETIREMENT_PENDING = "pageRetirementPending"
    THERMAL = "thermal"
    """Its hardware slows it down because it is hot."""


EVENTFUL = frozenset({Ailment.XID, Ailment.UNMONITORED})
"""Known from an event: no look tells them, and a reset ends them."""

TAINT_KEYS: Mapping[Ailment, str] = {
    Ailment.XID: "gpu.nvidia.com/xid",
    Ailment.LOST: "gpu.nvidia.com/gpu-lost",
    Ailment.UNMONITORED: "gpu.nvidia.com/unmonitored",
    Ailment.RECOVERY_ACTION: "slicewire.dev/recovery-action",
    Ailment.UNCORRECTED_ECC: "slicewire.dev/uncorrected-ecc",
    Ailment.ROW_REMAP_PENDING: "slicewire.dev/row-remap-pending",
    Ailment.ROW_REMAP_FAILED: "slicewire.dev/row-remap-failed",
    Ailment.PAGE_RETIREMENT_PENDING: "slicewire.dev/page-retirement-pending",
    Ailment.THERMAL: "slicewire.dev/thermal",
}
"""Those of `gpu.nvidia.com` are NVIDIA's own."""


def ailing(gpu: GpuFacts) -> Mapping[Ailment, str]:
    """What its taint says of each ailment this look can judge: "" where it is well.

    Without an entry: it could not be read, or this GPU has no such reading.
    """
    read = {ailment: reading(gpu.condition) for ailment, reading in _READINGS.items()}
    return {ailment: value for ailment, value in read.items() if value is not None}


def _action(condition: Condition) -> str | None:
    match condition.recovery_action:
        case None:
            return None
        case RecoveryAction.NONE:
            return ""
        case action:
            return str(action)


def _uncorrected(condition: Condition) -> str | None:
    count = condition.ecc.volatile_uncorrected if condition.ecc else None
    return None if count is None else str(count or "")


def _remap_pending(condition: Condition) -> str | None:
    rows = condition.remapped_rows
    return None if rows is None else "pending" * rows.pending


def _remap_failed(condition: Condition) -> str | None:
    rows = condition.remapped_rows
    return None if rows is None else "failed" * rows.failed


def _retirement_pending(condition: Condition) -> str | None:
    pages = condition.retired_pages
    return None if pages is None else "pending" * pages.pending


def _heat(condition: Condition) -> str | None:
    """Never the temperature itself: it is another one at every look."""
    if SlowedBy.HARDWARE_THERMAL in condition.slowed_by:
        return str(SlowedBy.HARDWARE_THERMAL)
    hot, limit = condition.temperature_celsius, condition.slowdown_celsius
    if hot is None or limit is None:
        return None
    return "overSlowdown" if hot >= limit else ""


_READINGS: Mapping[Ailment, Callable[[Condition], str | None]] = {
    Ailment.RECOVERY_ACTION: _action,
    Ailment.UNCORRECTED_ECC: _uncorrected,
    Ailment.ROW_REMAP_PENDING: _remap_pending,
    Ailment.ROW_REMAP_FAILED: _remap_failed,
    Ailment.PAGE_RETIREMENT_PENDING: _retirement_pending,
    Ailment.THERMAL: _heat,
}
