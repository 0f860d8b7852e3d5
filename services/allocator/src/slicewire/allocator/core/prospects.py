"""Which devices are worth trying for an alternative, whoever else is served beside it.

Sound: a device that is not among them cannot be picked, however the search stands. Exact but for
capacities and overdrawn pools, which attempt.py knows. Selectors that have no answer for a device count
apart: whether the search meets such a device is for the search to say.
"""

from __future__ import annotations

from typing import NamedTuple

from slicewire.allocator.core.marks import marks
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Stock, Supply, each_bit
from slicewire.allocator.core.taints import untolerated


class Prospects(NamedTuple):
    """Devices as bits: those that may be picked, and those that nobody can judge."""

    promising: int
    unjudged: int


def prospects(alternative: Alternative, stock: Stock, supply: Supply) -> Prospects:
    """Administrative access looks at devices that others use, and draws nothing."""
    layout = stock.layout
    free, open_ = supply
    if alternative.admin_access:
        free = open_ = layout.everything
    selected, stumbling = marks(alternative.selection.judge, stock)
    promising = open_ & layout.possible & selected
    for bit in each_bit(promising & layout.tainted):
        if untolerated(stock.at(bit).device.taints, alternative.tolerations):
            promising ^= bit
    return Prospects(promising, free & layout.judged & stumbling)
