"""What is known of the health of a node: what was found wrong, and what each GPU was last like.

Plain values that are written to a file and read again by the next agent; times are seconds since 1970.
"""

from __future__ import annotations

import msgspec

from slicewire.common.model import DeviceName
from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.vitals import Life, Presence, Vital


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing wrong with one GPU, or with one partition of it."""

    ailment: Ailment
    gpu: str
    """Its UUID."""
    value: str = ""
    """What the taint says; of an XID its number."""
    since: int
    quiet_since: int | None = None
    """Since when nothing of it has been seen or heard; None while it goes on."""
    devices: tuple[DeviceName, ...] = ()
    """Which devices of the GPU it is about; empty for all."""
    instance: str = ""
    """The UUID of the MIG device it is about: when that one is gone, so is this."""

    def __post_init__(self) -> None:
        if self.ailment is Ailment.XID and not self.value.isdecimal():
            raise ValueError(f"value {self.value!r} of an xid is not a number")

    @property
    def identity(self) -> tuple[str, ...]:
        """An XID is one of many, all else is there once for each GPU."""
        number = self.value if self.ailment is Ailment.XID else ""
        return self.gpu, self.ailment, number, self.instance, *self.devices


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    findings: tuple[Finding, ...] = ()
    vitals: tuple[Vital, ...] = ()
    life: Life = Life()

    def lost_places(self) -> frozenset[str]:
        """The PCI bus ids of GPUs that are to be had no more."""
        return frozenset(vital.bus_id for vital in self.vitals if vital.is_lost)

    def places_in_sight(self) -> frozenset[str]:
        """The PCI bus ids of GPUs that NVML can be asked about."""
        return frozenset(vital.bus_id for vital in self.vitals if vital.presence is Presence.HERE)
