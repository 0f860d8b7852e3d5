"""Taints keep claims away from a device, tolerations let them back in."""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.common.model import DeviceTaint, DeviceToleration

_BLOCKING = ("NoSchedule", "NoExecute")
"""Other effects, `None` and those of a future API, do not keep anybody away."""


SILENT = DeviceTaint(key="slicewire.dev/silent", effect="NoSchedule")
"""Of every device whose agent does not answer: nobody knows whether it is there, and nobody prepares it."""


class RuleTaint(DeviceTaint, frozen=True, kw_only=True):
    """A taint of no driver: `rule` is the DeviceTaintRule that puts it there."""

    rule: str


def written(taint: DeviceTaint) -> str:
    """As kubectl writes it."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def untolerated(taints: Sequence[DeviceTaint], tolerations: Sequence[DeviceToleration]) -> DeviceTaint | None:
    """The first taint that keeps a claim with these tolerations away."""
    for taint in taints:
        if taint.effect in _BLOCKING and not any(_tolerates(each, taint) for each in tolerations):
            return taint
    return None


def _tolerates(toleration: DeviceToleration, taint: DeviceTaint) -> bool:
    """An empty effect or key stands for all of them; an unknown operator tolerates nothing."""
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    match toleration.operator:
        case "Exists":
            return True
        case "Equal" | "":
            return toleration.value == taint.value
        case _:
            return False
