"""What the type checker tells those that come after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from slicewire.allocator.core.cel.overload import Overload
from slicewire.allocator.core.cel.syntax import Call, Node
from slicewire.allocator.core.cel.types import Type


class Checked(msgspec.Struct, frozen=True, eq=False):
    """What the checker found out. A name of two parts (`net.IP`, `sets.contains`) is resolved in `names`."""

    output: Type
    types: Mapping[Node, Type]
    overloads: Mapping[Call, tuple[Overload, ...]]
    names: Mapping[Node, Any]
