"""A bound on what functions build. Kubernetes prices some of them by their input alone, which bounds neither
time nor memory: these pay for the size of what they make, and no value may pass `LARGEST`."""

from __future__ import annotations

from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.values import Frame, charge

LARGEST = 2**22
_ELEMENTS_PER_UNIT = 64


def grow(frame: Frame, size: int) -> None:
    """Pay before building a value of this many characters or elements."""
    if size > LARGEST:
        raise Failed(f"the result would have {size} elements or characters, more than {LARGEST}")
    charge(frame, size // _ELEMENTS_PER_UNIT)
