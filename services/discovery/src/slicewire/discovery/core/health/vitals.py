"""Each GPU from one look to the next: whether it is still there, and whether it was reset meanwhile.

NVML reports no reset, but leaves signs of it: counters that start again, a noted row that was
replaced, an action no longer asked for. Refuses to take silence for one: a GPU that nobody sees, or a
driver that is away, has not been reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from slicewire.common.nvml.condition import RecoveryAction
from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.discovery.core import pci


class Presence(StrEnum):
    HERE = "here"
    LOST = "lost"
    """It fell off the bus: NVML still knows that there was one."""
    GONE = "gone"
    """Neither NVML nor the PCI bus has it."""
    ELSEWHERE = "elsewhere"
    """On the PCI bus, and another driver has it, or NVML cannot read it."""


class Life(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Another text: started anew since. Empty where it cannot be told."""

    machine: str = ""
    driver: str = ""


class Vital(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one GPU was like when it was last seen."""

    gpu: str
    bus_id: str
    presence: Presence = Presence.HERE
    action: RecoveryAction | None = None
    uncorrected: int | None = None
    remap_pending: bool | None = None

    @property
    def is_lost(self) -> bool:
        return self.presence in {Presence.LOST, Presence.GONE}


class Sight(msgspec.Struct, frozen=True):
    """What NVML and the PCI bus show at one moment."""

    node: NodeFacts
    on_the_bus: tuple[pci.PciGpu, ...] = ()


def followed(before: tuple[Vital, ...], sight: Sight, *, machine_is_new: bool) -> tuple[Vital, ...]:
    """Forgets a GPU only for another in its place, or when it is gone from a machine that started anew."""
    here = tuple(_seen(sight.node))
    uuids = {vital.gpu for vital in here}
    places = {vital.bus_id for vital in here}
    missing = (vital for vital in before if vital.gpu not in uuids and vital.bus_id not in places)
    absent = tuple(msgspec.structs.replace(vital, presence=_presence(vital, sight)) for vital in missing)
    kept = (vital for vital in absent if not (machine_is_new and vital.presence is Presence.GONE))
    return tuple(sorted((*here, *kept), key=lambda vital: vital.bus_id))


def was_reset(before: Vital, now: Vital) -> bool:
    """Something that only a reset brings about lies between the two."""
    if now.presence is not Presence.HERE:
        return False
    counts_anew = (
        before.uncorrected is not None
        and now.uncorrected is not None
        and now.uncorrected < before.uncorrected
    )
    row_replaced = before.remap_pending is True and now.remap_pending is False
    action_taken = (
        before.action not in {None, RecoveryAction.NONE, RecoveryAction.DRAIN_PEERS}
        and now.action is RecoveryAction.NONE
    )
    return before.is_lost or counts_anew or row_replaced or action_taken


def _seen(node: NodeFacts) -> Iterator[Vital]:
    for gpu in node.gpus:
        if gpu.uuid and (place := pci.bus_id(gpu.pci_bus_id)):
            yield _vital(gpu, place)


def _vital(gpu: GpuFacts, place: str) -> Vital:
    condition = gpu.condition
    return Vital(
        gpu=gpu.uuid,
        bus_id=place,
        action=condition.recovery_action,
        uncorrected=condition.ecc.volatile_uncorrected if condition.ecc else None,
        remap_pending=condition.remapped_rows.pending if condition.remapped_rows else None,
    )


def _presence(missing: Vital, sight: Sight) -> Presence:
    kernel_drivers = {gpu.bus_id: gpu.kernel_driver for gpu in sight.on_the_bus}
    lost = {pci.bus_id(one.pci_bus_id) for one in sight.node.unseen if one.code is NvmlCode.LOST}
    if missing.bus_id in lost:
        return Presence.LOST
    if missing.bus_id not in kernel_drivers:
        return Presence.GONE
    if None in lost and kernel_drivers[missing.bus_id] == pci.DRIVER:
        return Presence.LOST  # NVML no longer knows where the one it lost was
    return Presence.ELSEWHERE
