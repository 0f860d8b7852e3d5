"""How the devices of a node, and the nodes of a fleet, are filled: the policies by name."""

from __future__ import annotations

from enum import StrEnum


class Packing(StrEnum):
    """First fit is what Kubernetes does; the other two choose among what fits."""

    FIRST_FIT = "first-fit"
    PACK = "pack"
    SPREAD = "spread"


PACKING = "slicewire.dev/packing"
"""The annotation of a claim, and the label of a node, that names the policy."""


def packing_named(name: str) -> Packing | None:
    """None where no policy has this name."""
    return Packing(name) if name in set(Packing) else None
