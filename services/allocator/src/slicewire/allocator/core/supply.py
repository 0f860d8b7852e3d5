"""What other claims leave of a node's devices: which are free, and which of these the counters allow.

A first look, not the last word: what is not `open` here stays shut for as long as the search only takes
from the node. Kept with the stock until usage changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from slicewire.allocator.core.compatibility import Compatibility
from slicewire.allocator.core.counters import left_by
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holdings import Amount, Usage
from slicewire.allocator.core.stock import Bank, Counters, Pool, Stock, Supply, each_bit
from slicewire.common.model import PoolID

Usages = Mapping[PoolID, Usage]
_REMEMBERED_BUDGETS = 4096


def supply_of(stock: Stock, usages: Usages, features: Features) -> Supply:
    return stock.supply.recall_all(tuple(usages.values()), lambda: _supply(stock, usages, features))


def is_plain(stock: Stock, usages: Usages) -> bool:
    """Whole devices only, on no budgets and of no shares: which of them are free says everything."""
    if stock.layout.banks or stock.layout.shareable:
        return False
    return not any(usage.shared for usage in usages.values())


def _supply(stock: Stock, usages: Usages, features: Features) -> Supply:
    layout, pools = stock.layout, tuple(pool for pool in stock.pools if pool.is_usable)
    dedicated = shared = 0
    for pool, bits in zip(pools, layout.bits, strict=True):
        usage = usages[pool.id]
        dedicated |= sum(bits.get(name, 0) for name in usage.dedicated)
        shared |= sum(bits.get(name, 0) for name in usage.shared)
    free = layout.everything & ~dedicated & ~(shared & ~layout.shareable)
    drawing = free & ~shared  # of a shared device the first share has paid
    return Supply(free, free & ~_shut(stock, pools, usages, drawing, features))


def _shut(stock: Stock, pools: tuple[Pool, ...], usages: Usages, drawing: int, features: Features) -> int:
    """The devices that would have to draw, and cannot."""
    shut = 0
    for bank in stock.layout.banks:
        if members := bank.everyone & drawing:
            pool = pools[bank.pool]
            shut |= members & ~_affordable(bank, left_by(usages[pool.id], pool))
    if features.device_compatibility_groups and stock.layout.banks:
        compatibility = Compatibility({pool.id: pool for pool in pools}, usages)
        for bit in each_bit(drawing & ~shut):
            if compatibility.objection(stock.at(bit)):
                shut |= bit
    return shut


def _affordable(bank: Bank, left: Counters) -> int:
    """Its members without those that would draw too much: remembered for all budgets that were met."""
    budget = tuple(left[name] for name in bank.counters)
    if budget not in bank.affordable:
        if len(bank.affordable) >= _REMEMBERED_BUDGETS:
            bank.affordable.clear()
        bank.affordable[budget] = _within(bank, budget)
    return bank.affordable[budget]


def _within(bank: Bank, budget: tuple[Amount, ...]) -> int:
    return sum(
        member.bit
        for member in bank.members
        if all(amount <= budget[place] for place, amount in member.amounts)
    )
