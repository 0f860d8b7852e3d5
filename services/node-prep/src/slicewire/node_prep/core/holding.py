"""Who holds which device, and whether another claim may have it too: the last line of defence.

Whoever allocated a device twice, it is prepared once. A GPU and its parts are one piece of hardware.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from slicewire.node_prep.core.hardware import Partition, PlannedDevice, of_one_gpu
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why


class Holding(msgspec.Struct, frozen=True):
    """A claim has reserved or prepared this device. Administrative access holds nothing."""

    claim: Claim
    planned: PlannedDevice


Holders = Iterable[Holding]


def in_the_way(planned: PlannedDevice, holders: Holders) -> PrepareRefusal | None:
    """`holders` are those of other claims."""
    if planned.admin_access:
        return None
    refusals = (_between(planned, holding) for holding in holders)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _between(planned: PlannedDevice, holding: Holding) -> PrepareRefusal | None:
    held, claim = holding.planned, holding.claim
    if held.device == planned.device:
        if held.share is None or planned.share is None:
            return PrepareRefusal(
                Why.HELD_BY_ANOTHER,
                f"requested device {planned.device} is already allocated to different claim {claim.uid}",
            )
        return None if held.config == planned.config else _conflicting(planned, claim)
    if _overlap(held, planned):
        return PrepareRefusal(
            Why.HELD_BY_ANOTHER,
            f"requested device {planned.device} is of the same GPU as {held.device},"
            f" which is already allocated to different claim {claim.uid}",
        )
    return None


def _conflicting(planned: PlannedDevice, claim: Claim) -> PrepareRefusal:
    return PrepareRefusal(
        Why.CONFLICT,
        f"conflicting configuration: device {planned.device} is shared with claim {claim},"
        " whose configuration is another one; claims that share a device must have the same",
    )


def _overlap(one: PlannedDevice, other: PlannedDevice) -> bool:
    """Parts of one GPU go together (its counters see to their places); anything else of one GPU does not."""
    if isinstance(one.hardware, Partition) and isinstance(other.hardware, Partition):
        return False
    return of_one_gpu(one.hardware, other.hardware)
