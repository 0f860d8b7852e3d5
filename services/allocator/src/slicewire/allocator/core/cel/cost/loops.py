"""What a loop costs beyond its range and its body, kind by kind."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from slicewire.allocator.core.cel.cost.ranges import NEW_LIST, NEW_MAP
from slicewire.allocator.core.cel.syntax import FoldKind


class LoopPrice(msgspec.Struct, frozen=True):
    """The overhead of a loop: `once`, then `step(keep, body, has_keep)` for each element."""

    once: int
    step: Callable[[int, int, bool], int]


def _collecting(each: int, kept: int = 1) -> Callable[[int, int, bool], int]:
    return lambda keep, body, has_keep: keep + max(each + body, kept) if has_keep else each + body


LOOPS = {
    FoldKind.ALL: LoopPrice(1, lambda _keep, body, _has: 3 + body),
    FoldKind.EXISTS: LoopPrice(1, lambda _keep, body, _has: 4 + body),
    FoldKind.EXISTS_ONE: LoopPrice(2, lambda _keep, body, _has: 2 + body),
    FoldKind.LIST: LoopPrice(NEW_LIST + 1, _collecting(NEW_LIST + 2)),
    FoldKind.FILTER: LoopPrice(NEW_LIST + 1, lambda _keep, body, _has: NEW_LIST + 3 + body),
    FoldKind.MAP: LoopPrice(NEW_MAP + 1, _collecting(3)),
    FoldKind.MAP_ENTRY: LoopPrice(NEW_MAP + 1, _collecting(2)),
}
COLLECTS = frozenset({FoldKind.LIST, FoldKind.FILTER, FoldKind.MAP, FoldKind.MAP_ENTRY})
