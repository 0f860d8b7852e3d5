"""What can be seen before the search: devices that no answer can have, and requests that nothing is left for.

Only looks that cost less than they save, and only conclusions that hold however the search stands: the
answer that is found first stays the same. Where the search might meet a fault (a selector without an
answer, a derived attribute, all devices under a constraint) nothing is concluded, so that it is met.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import msgspec

from slicewire.allocator.core.attempt import Attempt
from slicewire.allocator.core.options import Option, Options, least, united
from slicewire.allocator.core.propagation import confined
from slicewire.allocator.core.stock import Stock

Needs = tuple[tuple[int, int], ...]
"""(devices, how many of them at least must be left)"""


class Outlook(msgspec.Struct, frozen=True, eq=False):
    """`needs`: for each request, those of all requests after it."""

    options: Options
    needs: tuple[Needs, ...]
    is_certain: bool
    """Whether the search of these options ends in an answer or a plain no."""

    def allows(self, request: int, taken: int) -> bool:
        """Whether those after the request still have enough devices, each for itself."""
        needs = self.needs[request]
        return not needs or all((mask & ~taken).bit_count() >= number for mask, number in needs)


def outlook(options: Options, attempt: Attempt, stock: Stock) -> Outlook | None:
    """None: there is no answer."""
    if not all(_is_certain(option, attempt) for of_request in options for option in of_request):
        return Outlook(options, ((),) * len(options), is_certain=False)
    narrowed = confined(options, attempt, stock)
    if narrowed is None or not all(map(servable, narrowed)):
        return None
    if len(narrowed) == 1:
        return Outlook(narrowed, ((),), is_certain=True)
    shareable = stock.layout.shareable
    if not _is_enough(_needs(narrowed, shareable)):
        return None
    later = (narrowed[index + 1 :] for index in range(len(narrowed)))
    return Outlook(narrowed, tuple(_needs(each, shareable) for each in later), is_certain=True)


def servable(of_request: tuple[Option, ...]) -> bool:
    """Whether one of the alternatives has as many devices as it needs."""
    return any(0 < option.count <= option.mask.bit_count() for option in of_request)


def _is_enough(needs: Needs) -> bool:
    return all(mask.bit_count() >= number for mask, number in needs)


def _is_certain(option: Option, attempt: Attempt) -> bool:
    asked = option.alternative
    if not option.is_judged or asked.derivations:
        return False
    constraints = attempt.constraints(asked.claim_index) if option.is_all else ()
    return not any(each.covers(asked.name) for each in constraints)


def _needs(options: Options, shareable: int) -> Needs:
    """Requests that compete for the same devices need them together: a device is given away once.

    Not if it is shared, and administrative access takes what others have.
    """
    needed: dict[int, int] = {}
    shared: list[tuple[int, int]] = []
    for of_request in options:
        if any(option.alternative.admin_access for option in of_request):
            continue
        mask, number = united(of_request), least(of_request)
        if mask & shareable:
            shared.append((mask, number))
        else:
            needed[mask] = needed.get(mask, 0) + number
    if len(needed) > 1:
        everyone = reduce(or_, needed)
        needed[everyone] = max(sum(needed.values()), needed.get(everyone, 0))
    return (*needed.items(), *shared)
