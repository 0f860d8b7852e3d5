"""Why not: a refusal is data that a person can act on."""

from __future__ import annotations

from enum import StrEnum

from slicewire.common.model.device import DeviceID
from slicewire.common.model.struct import Object


class Rule(StrEnum):
    """The first rule that refused a device, cheapest rule first; the order is the order of checking."""

    NODE = "node"
    POOL = "pool"
    IN_USE = "inUse"
    CLASS_SELECTOR = "classSelector"
    REQUEST_SELECTOR = "requestSelector"
    CAPACITY = "capacity"
    COUNTER = "counter"
    TAINT = "taint"
    CONSTRAINT = "constraint"
    COUNT = "count"
    INVALID = "invalid"


class Refusal(Object, frozen=True):
    """Devices refused alike: same request, same rule, same words.

    `count` is how many there were; `devices` names at most `LISTED_DEVICES` of them, in order.
    """

    rule: Rule
    message: str
    request: str = ""
    node: str = ""
    count: int = 0
    devices: tuple[DeviceID, ...] = ()


LISTED_DEVICES = 16


class Unsatisfiable(Object, frozen=True):
    """A claim that cannot be given its devices now: the one-line truth, then the groups behind it.

    `fatal` tells a claim that is wrong (unknown class, selector that does not compile) from one
    that waits: the first is decided again only when the claim or its class changes.
    """

    message: str
    refusals: tuple[Refusal, ...] = ()
    fatal: bool = False
