"""How a GPU is, as NVML says it. Pure; what it means for who may use the GPU is decided elsewhere.

None where this GPU or this driver has no such reading.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RecoveryAction(StrEnum):
    """What the driver says must be done to have the GPU back."""

    NONE = "none"
    RESET = "reset"
    REBOOT = "reboot"
    DRAIN_PEERS = "drainP2P"
    DRAIN_AND_RESET = "drainAndReset"
    OTHER = "other"
    """One newer than we are."""


class SlowedBy(StrEnum):
    """Why the clocks are not as high as they could be. Idle GPUs and settings of a person are not told."""

    POWER_CAP = "powerCap"
    HARDWARE = "hardwareSlowdown"
    SYNC_BOOST = "syncBoost"
    THERMAL = "thermal"
    HARDWARE_THERMAL = "hardwareThermal"
    POWER_BRAKE = "powerBrake"


class Ecc(msgspec.Struct, frozen=True, kw_only=True):
    enabled: bool
    pending: bool
    volatile_corrected: int | None = None
    """Errors since the driver was loaded."""
    volatile_uncorrected: int | None = None


class RemappedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of memory replaced by spares (Ampere and later)."""

    correctable: int
    uncorrectable: int
    pending: bool
    """A row waits for the next reset to be replaced."""
    failed: bool
    """No spare was left: the GPU is to be exchanged."""


class RetiredPages(msgspec.Struct, frozen=True, kw_only=True):
    """Pages of memory no longer used (before Ampere)."""

    single_bit: int
    double_bit: int
    pending: bool


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    temperature_celsius: int | None = None
    slowdown_celsius: int | None = None
    """From here on the hardware slows the GPU down."""
    slowed_by: tuple[SlowedBy, ...] = ()
    recovery_action: RecoveryAction | None = None
    ecc: Ecc | None = None
    remapped_rows: RemappedRows | None = None
    retired_pages: RetiredPages | None = None
