"""Where to look: a name for everything that may be out of step. Pure.

A key says where, and never what is to be done: wake, then look.
"""

from __future__ import annotations

import msgspec

from slicewire.common.model import ClaimUID, DriverName, NodeName


class PoolKey(msgspec.Struct, frozen=True):
    """The slices of one driver on one node."""

    node: NodeName
    driver: DriverName


class FactKey(msgspec.Struct, frozen=True):
    """A fact of ours, by kind and name: `node`, `class`, `taintrule` or `claim`."""

    kind: str
    name: str


class PodKey(msgspec.Struct, frozen=True):
    namespace: str
    name: str


class ClassKey(msgspec.Struct, frozen=True):
    """A DeviceClass that the fleet should have."""

    name: str


class ReportKey(msgspec.Struct, frozen=True):
    """What is to be told of a claim's devices."""

    uid: ClaimUID


class TurnKey(msgspec.Struct, frozen=True):
    """Whose turn it is among the gangs."""


Key = PoolKey | FactKey | PodKey | ClassKey | ReportKey | TurnKey
