"""What is done about each ailment: the effect of its taint, and when it is over.

The section `health:` of the node policy file; every rule has a default, and an operator overrides the
ones that do not suit the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from slicewire.discovery.core.health.ailments import Ailment

Seconds = Annotated[int, msgspec.Meta(ge=0, le=30 * 24 * 3600)]
XidCode = Annotated[int, msgspec.Meta(ge=0)]

APPLICATION_XIDS = (13, 31, 43, 45, 68, 109)
"""Faults of the program that ran, not of the GPU, as NVIDIA's DRA driver has it."""


class Effect(StrEnum):
    """Of a taint; from the mildest to the most severe."""

    OFF = "Off"
    """No taint at all."""
    NONE = "None"
    """A taint that only says so."""
    NO_SCHEDULE = "NoSchedule"
    """Nobody new gets the device."""
    NO_EXECUTE = "NoExecute"
    """And who has it must go."""


SEVERITY: Mapping[Effect, int] = {effect: rank for rank, effect in enumerate(Effect)}


class Recovery(StrEnum):
    """What ends an error that no look can see. A reset of the GPU ends it in any case."""

    RESET = "reset"
    """Nothing else."""
    ACTION = "action"
    """The quiet time, where NVML says that nothing must be done; where it does not say, only a reset."""
    QUIET = "quiet"
    """The quiet time, unless NVML says that something must be done."""


class _Section(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """A part of the policy file: a misspelt field is an error."""


class Rule(_Section, frozen=True):
    effect: Effect = Effect.NO_SCHEDULE
    quiet_seconds: Seconds = 0
    """How long it must have been well before the taint goes."""


class XidRule(_Section, frozen=True):
    effect: Effect = Effect.NO_SCHEDULE
    effects: Mapping[XidCode, Effect] = msgspec.field(default_factory=dict)
    """Of single XIDs, stronger than `effect` and `ignored`."""
    ignored: tuple[XidCode, ...] = APPLICATION_XIDS
    recovery: Recovery = Recovery.ACTION
    quiet_seconds: Seconds = 600

    def effect_of(self, code: int) -> Effect:
        return self.effects.get(code, Effect.OFF if code in self.ignored else self.effect)


class HealthRules(_Section, frozen=True):
    """The section `health:`."""

    xid: XidRule = XidRule()
    gpu_lost: Rule = Rule()
    unmonitored: Rule = Rule(effect=Effect.NONE, quiet_seconds=60)
    recovery_action: Rule = Rule()
    uncorrected_ecc: Rule = Rule()
    row_remap_pending: Rule = Rule()
    row_remap_failed: Rule = Rule()
    page_retirement_pending: Rule = Rule()
    thermal: Rule = Rule(quiet_seconds=60)

    def effect(self, ailment: Ailment, value: str) -> Effect:
        return self.xid.effect_of(int(value)) if ailment is Ailment.XID else self._rule(ailment).effect

    def quiet_seconds(self, ailment: Ailment) -> int:
        return self._rule(ailment).quiet_seconds

    def _rule(self, ailment: Ailment) -> Rule | XidRule:
        rules: Mapping[Ailment, Rule | XidRule] = {
            Ailment.XID: self.xid,
            Ailment.LOST: self.gpu_lost,
            Ailment.UNMONITORED: self.unmonitored,
            Ailment.RECOVERY_ACTION: self.recovery_action,
            Ailment.UNCORRECTED_ECC: self.uncorrected_ecc,
            Ailment.ROW_REMAP_PENDING: self.row_remap_pending,
            Ailment.ROW_REMAP_FAILED: self.row_remap_failed,
            Ailment.PAGE_RETIREMENT_PENDING: self.page_retirement_pending,
            Ailment.THERMAL: self.thermal,
        }
        return rules[ailment]
