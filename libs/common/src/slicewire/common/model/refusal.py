"""Why not, and what would help: a refusal is data that a person can act on."""

from __future__ import annotations

from enum import StrEnum

from slicewire.common.model.device import DeviceID
from slicewire.common.model.ids import NodeName
from slicewire.common.model.struct import Object


class Rule(StrEnum):
    """The first rule that refused a device.

    The order is the order of explaining: a device that nobody wanted is not "in use", one that is in
    use is not "short of capacity". COUNT stands for what no single device is to blame for, INVALID
    for a fault that stopped the question on a node.
    """

    NODE = "node"
    POOL = "pool"
    CLASS_SELECTOR = "classSelector"
    REQUEST_SELECTOR = "requestSelector"
    IN_USE = "inUse"
    CAPACITY = "capacity"
    TAINT = "taint"
    COUNTER = "counter"
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


class ChangeKind(StrEnum):
    """What would make a refused claim fit, the cheapest first.

    Waiting costs nothing, tolerating costs a promise, another profile costs a larger or smaller
    partition, relaxing costs whatever was asked for, fewer devices cost devices; releasing costs somebody
    else's.
    """

    WAIT_FOR_POOL = "waitForPool"
    TOLERATE = "tolerate"
    CHOOSE_PROFILE = "chooseProfile"
    RELAX_SELECTOR = "relaxSelector"
    ASK_FEWER = "askFewer"
    RELEASE_CLAIM = "releaseClaim"


class Change(Object, frozen=True):
    """What to change so that the claim fits, and which devices it gets then, on which node."""

    kind: ChangeKind
    message: str
    node: NodeName
    devices: tuple[DeviceID, ...]
