"""Why a claim is not prepared: the kind of reason for programs, the words for people."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Why(StrEnum):
    UNKNOWN_CLAIM = "unknownClaim"
    REPLACED_CLAIM = "replacedClaim"
    WRONG_CLAIM = "wrongClaim"
    """What was asked cannot be a claim."""
    OTHER_NODE = "otherNode"
    UNKNOWN_DEVICE = "unknownDevice"
    UNREADABLE_DEVICE = "unreadableDevice"
    HELD_BY_ANOTHER = "heldByAnother"
    IN_USE = "inUse"
    """The kubelet wants the claim prepared until it says otherwise."""
    CONFLICT = "conflict"
    CONFIG = "config"
    UNSUPPORTED = "unsupported"
    """Right, but not within this version's power."""
    DRIVER = "driver"
    """The NVIDIA driver of the node lacks what the devices need."""
    DISK = "disk"
    BUSY = "busy"
    """It may work a moment later."""
    BUG = "bug"


class PrepareRefusal(msgspec.Struct, frozen=True):
    why: Why
    reason: str
