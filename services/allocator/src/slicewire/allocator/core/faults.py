"""What stops an attempt altogether, unlike a device that is merely refused."""

from __future__ import annotations

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why the attempt failed. `node_only`: another node may still do."""

    message: str
    node_only: bool = False
