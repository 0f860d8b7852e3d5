"""A bus that says one inventory and one ledger, from a file, and believes whatever it is told.

A node's fate is looked at here, not the bus': each life is to begin at once, with the same facts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from slicewire.common.bus.port import Bus, CaughtUp, Committed, Heard, Write
from slicewire.common.messages import INVENTORY, LEDGERS, Channel, LedgerWritten, PoolObserved
from slicewire.common.model import wire
from slicewire.common.model.struct import Object
from tests.unit.node_prep.builders import DRIVER, NODE

_FACTS = "facts.json"


class Facts(Object, frozen=True):
    pool: PoolObserved
    ledger: LedgerWritten
    describes: bool = False
    """How node-prep is set, too: `DEVICE_METADATA`."""


class ToldBus:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._sequence = 2

    async def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        yield Heard(INVENTORY, (NODE, DRIVER), self._facts.pool, 1, {})
        yield Heard(LEDGERS, (NODE, DRIVER), self._facts.ledger, 2, {})
        yield CaughtUp(2)
        await asyncio.Event().wait()

    async def commit(self, writes: Sequence[Write]) -> Committed:
        self._sequence += len(writes)
        return Committed(self._sequence)

    def serve(self, handlers: Mapping[Any, Any], *key: str, name: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()


def tell(folder: Path, facts: Facts) -> None:
    """From now on, the buses of this folder say so."""
    (folder / _FACTS).write_bytes(wire.encode(facts))


def facts_of(folder: Path) -> Facts:
    return wire.decode((folder / _FACTS).read_bytes(), Facts)


@asynccontextmanager
async def bus_of(folder: Path) -> AsyncIterator[Bus]:
    yield cast("Bus", ToldBus(facts_of(folder)))  # what a node asks of its bus; a node asks it nothing else
