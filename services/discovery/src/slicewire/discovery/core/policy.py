"""What a node offers of each of its GPUs: the node policy.

Rules are asked in order and the first that matches a GPU decides; what it leaves out is as in
`default`. What a person wrote becomes one in `policychecks`.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal

import msgspec

from slicewire.common.model.struct import Object
from slicewire.discovery.core.health.rules import HealthRules

Shares = Literal["disabled", "unlimited", "memory"] | Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class DeviceType(StrEnum):
    """As what a GPU is offered; the value of the attribute `type`."""

    GPU = "gpu"
    MIG = "mig"
    VFIO = "vfio"


class Partitions(StrEnum):
    STATIC = "static"
    """The partitions that somebody made, and no GPU that is cut."""
    DYNAMIC = "dynamic"
    """Every partition that could be made, made when it is prepared."""


class Choice(Object, frozen=True):
    """What is offered of one GPU."""

    offer: tuple[DeviceType, ...] = (DeviceType.GPU, DeviceType.MIG)
    partitions: Partitions = Partitions.STATIC
    shares: Shares = "disabled"

    def offers(self, kind: DeviceType) -> bool:
        return kind in self.offer


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """By what a rule knows a GPU. Empty where it is not known."""

    node: str = ""
    name: str = ""
    uuid: str = ""
    pci_bus_id: str = ""
    product_name: str = ""


class Match(Object, frozen=True):
    """Which GPUs: every list that is given must have the GPU in it. None given: all GPUs."""

    nodes: tuple[str, ...] | None = None
    """Node names; `*` and `?` as in a shell."""
    names: tuple[str, ...] | None = None
    """Names of whole GPUs: `gpu-0`."""
    uuids: tuple[str, ...] | None = None
    pci_bus_ids: tuple[str, ...] | None = msgspec.field(default=None, name="pciBusIDs")
    product_names: tuple[str, ...] | None = None
    """`*` and `?` as in a shell."""

    def matches(self, gpu: Identity) -> bool:
        return (
            _is_like(gpu.node, self.nodes)
            and _is_in(gpu.name, self.names)
            and _is_in(gpu.uuid, self.uuids)
            and _is_in(gpu.pci_bus_id, self.pci_bus_ids)
            and _is_like(gpu.product_name, self.product_names)
        )


class Rule(Object, frozen=True):
    match: Match = Match()
    offer: tuple[DeviceType, ...] | None = None
    partitions: Partitions | None = None
    shares: Shares | None = None

    def chosen(self, default: Choice) -> Choice:
        return Choice(
            offer=default.offer if self.offer is None else self.offer,
            partitions=self.partitions or default.partitions,
            shares=default.shares if self.shares is None else self.shares,
        )


class NodePolicy(Object, frozen=True):
    API_VERSION: ClassVar[str] = "slicewire.dev/v1alpha1"
    KIND: ClassVar[str] = "NodePolicy"

    default: Choice = Choice()
    rules: tuple[Rule, ...] = ()
    health: HealthRules = HealthRules()
    """What is done about GPUs that are not well; for all of the node alike."""

    def choice(self, gpu: Identity) -> Choice:
        found = next((rule for rule in self.rules if rule.match.matches(gpu)), None)
        return found.chosen(self.default) if found else self.default


def _is_in(value: str, wanted: tuple[str, ...] | None) -> bool:
    return wanted is None or value in wanted


def _is_like(value: str, wanted: tuple[str, ...] | None) -> bool:
    return wanted is None or any(fnmatchcase(value, pattern) for pattern in wanted)
