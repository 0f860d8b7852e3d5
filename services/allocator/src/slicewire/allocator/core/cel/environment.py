"""Which features an expression may use. Nothing else about it is configurable."""

from __future__ import annotations

import msgspec


class Environment(msgspec.Struct, frozen=True):
    """The switches of Kubernetes' `DRAConsumableCapacity` and `DRAListTypeAttributes`.

    A stored expression was accepted once, so it may use everything whatever the switches say.
    """

    consumable_capacity: bool = True
    list_attributes: bool = True
    stored: bool = True

    @property
    def knows_multiple_allocations(self) -> bool:
        return self.stored or self.consumable_capacity

    @property
    def knows_list_attributes(self) -> bool:
        return self.stored or self.list_attributes
