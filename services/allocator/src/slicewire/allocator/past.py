"""What the allocator would have said then: views of the state as it was after an event of the history.

The past does not change, so a view that was made is kept, the last few of them. They are made one at a
time and in small steps: the present is decided meanwhile. Nothing is ever committed on a past view.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from slicewire.allocator.view import FOLLOWED, View
from slicewire.common.bus.port import Bus, Declined
from slicewire.common.messages import Moment

_KEPT = 4
_AT_A_TIME = 8


class Seen(msgspec.Struct, frozen=True):
    """A view, and the moment that it is of; None is now."""

    view: View
    as_of: Moment | None = None


class Pasts:
    """The last few past views that were asked about."""

    def __init__(self, bus: Bus, untold_allocation: str) -> None:
        self._bus = bus
        self._untold_allocation = untold_allocation
        self._kept: OrderedDict[int, Seen] = OrderedDict()
        self._making = asyncio.Lock()
        """One at a time, so that many questions at once need no more memory than one."""

    async def seen(self, event: int) -> Seen | Declined:
        """Everything as it was right after the event. Raises `BusUnavailable`."""
        if event in self._kept:
            self._kept.move_to_end(event)
            return self._kept[event]
        async with self._making:
            if event not in self._kept:  # else somebody else asked for the same and was first
                made = await self._made(event)
                if isinstance(made, Declined):
                    return made
                self._kept[event] = made
            self._kept.move_to_end(event)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[event]

    async def _made(self, event: int) -> Seen | Declined:
        past = await self._bus.as_of(event, *FOLLOWED)
        if isinstance(past, Declined):
            return past
        view = View(self._untold_allocation)
        for number, heard in enumerate(past.facts):
            view.hear(heard)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return Seen(view, past.moment)
