"""The fleet as `slicewire top` shows it: made of facts as they come, a row a node, worst first.

Mutable, and owned by one loop. A fact costs the row of its node; a frame costs a look at every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    LEDGERS,
    PREPARED,
    Channel,
    ClaimAnswered,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import DeviceID

FOLLOWED: tuple[Channel[Any], ...] = (INVENTORY, LEDGERS, CLAIMS, ANSWERS, PREPARED)
_WAITING_SHOWN = 5


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One node. `sick` are devices with a taint or that cannot be read; a sick one may be held as well."""

    node: str
    product: str = ""
    devices: int = 0
    held: int = 0
    free: int = 0
    """Neither held nor sick."""
    sick: int = 0
    claims: int = 0
    prepared: int = 0
    failed: int = 0
    note: str = ""
    """The first thing that is wrong."""

    @property
    def badness(self) -> tuple[int, int]:
        return self.failed, self.sick


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown at one time."""

    nodes: int
    devices: int
    held: int
    free: int
    sick: int
    claims: int
    waiting: int
    prepared: int
    failed: int
    facts: int
    """Heard since the frame before."""
    lag_ms: int
    """How old the slowest of those was when it was heard, by its author's clock."""
    matching: int
    """Nodes that the filter lets through; `rows` are the first of them."""
    rows: tuple[NodeRow, ...]
    waits: tuple[str, ...] = ()
    """The first claims that wait, and why."""


class Sort(StrEnum):
    WORST = "worst"
    NODE = "node"
    FREE = "free"
    HELD = "held"


class Only(StrEnum):
    ALL = "all"
    BAD = "bad"
    FREE = "free"
    FULL = "full"


_ORDER: Mapping[Sort, Callable[[NodeRow], Any]] = {
    Sort.WORST: lambda row: (-row.failed, -row.sick, -row.held, row.node),
    Sort.NODE: lambda row: row.node,
    Sort.FREE: lambda row: (-row.free, row.node),
    Sort.HELD: lambda row: (-row.held, row.node),
}
_LETS: Mapping[Only, Callable[[NodeRow], bool]] = {
    Only.ALL: lambda row: True,  # noqa: ARG005
    Only.BAD: lambda row: any(row.badness),
    Only.FREE: lambda row: row.free > 0,
    Only.FULL: lambda row: row.free == 0,
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which nodes, in which order, how many of them at most."""

    sort: Sort = Sort.WORST
    only: Only = Only.ALL
    name: str = "*"
    most: int = 20


class Picture:
    def __init__(self) -> None:
        self._pools: dict[tuple[str, str], PoolObserved] = {}
        self._ledgers: dict[tuple[str, str], LedgerWritten] = {}
        self._errors: dict[str, dict[str, str]] = {}
        """By node and claim, what was told of its preparation; "" is well."""
        self._answers: dict[str, ClaimAnswered] = {}
        self._claims: set[str] = set()
        self._waiting: dict[str, None] = {}
        self._drivers: dict[str, set[str]] = {}
        self._rows: dict[str, NodeRow] = {}
        self._stale: set[str] = set()
        self._facts = self._lag_ms = 0

    def hear(self, heard: Heard[Any], lag_ms: int = 0) -> None:
        self._facts += 1
        self._lag_ms = max(self._lag_ms, lag_ms)
        _HEAR[heard.channel.kind](self, heard.key, heard.fact)

    def frame(self, choice: Choice) -> Frame:
        self._redraw()
        rows = [row for row in self._rows.values() if _LETS[choice.only](row)]
        if choice.name != "*":
            rows = [row for row in rows if fnmatchcase(row.node, choice.name)]
        shown = tuple(sorted(rows, key=_ORDER[choice.sort])[: choice.most])
        facts, lag, self._facts, self._lag_ms = self._facts, self._lag_ms, 0, 0
        return Frame(
            nodes=len(self._rows),
            claims=len(self._claims),
            waiting=len(self._waiting),
            facts=facts,
            lag_ms=lag,
            matching=len(rows),
            rows=shown,
            waits=tuple(self._waits()),
            **_totals(self._rows.values()),
        )

    def _redraw(self) -> None:
        for node in self._stale:
            drivers = self._drivers.get(node)
            if drivers:
                self._rows[node] = self._row(node, drivers)
            else:
                self._rows.pop(node, None)
        self._stale.clear()

    def _row(self, node: str, drivers: Iterable[str]) -> NodeRow:
        pools = [self._pools[node, driver] for driver in sorted(drivers)]
        ledgers = [self._ledgers[key] for pool in pools if (key := (pool.node, pool.driver)) in self._ledgers]
        taken = {each.device_id for one in ledgers for entry in one.entries for each in entry.results}
        sick, free, notes, devices = 0, 0, list[str](), 0
        for pool in pools:
            for device in pool.devices:
                devices += 1
                is_sick = any(taint.effect != "None" for taint in device.taints)
                sick += is_sick
                free += not is_sick and DeviceID(pool.driver, pool.pool, device.name) not in taken
                notes += [f"{device.name}: {taint.key}" for taint in device.taints]
            sick += len(pool.unreadable)
            notes += [f"{gap.what}: {gap.reason}" for gap in pool.unreadable]
        told = self._errors.get(node, {})
        failed = [error for error in told.values() if error]
        return NodeRow(
            node=node,
            product=next((name for pool in pools for name in _products(pool)), ""),
            devices=devices,
            held=len(taken),
            free=free,
            sick=sick,
            claims=len({entry.claim.uid for one in ledgers for entry in one.entries}),
            prepared=len(told) - len(failed),
            failed=len(failed),
            note=next(iter((*failed, *notes)), ""),
        )

    def _waits(self) -> Iterable[str]:
        for uid in list(self._waiting)[:_WAITING_SHOWN]:
            answer = self._answers[uid]
            why = answer.refusal.message if answer.refusal is not None else ""
            yield f"{answer.claim.label}: {why}"

    def _pool(self, key: tuple[str, ...], fact: PoolObserved | None) -> None:
        node, driver = key
        if fact is None:
            self._pools.pop((node, driver), None)
            self._drivers.get(node, set()).discard(driver)
        else:
            self._pools[node, driver] = fact
            self._drivers.setdefault(node, set()).add(driver)
        self._stale.add(node)

    def _ledger(self, key: tuple[str, ...], fact: LedgerWritten | None) -> None:
        node, driver = key
        if fact is None:
            self._ledgers.pop((node, driver), None)
        else:
            self._ledgers[node, driver] = fact
        self._stale.add(node)

    def _preparation(self, key: tuple[str, ...], fact: Any) -> None:
        node, uid = key
        told = self._errors.setdefault(node, {})
        if fact is None:
            told.pop(uid, None)
        else:
            told[uid] = fact.error
        self._stale.add(node)

    def _answer(self, key: tuple[str, ...], fact: ClaimAnswered | None) -> None:
        (uid,) = key
        self._answers.pop(uid, None)
        if fact is not None:
            self._answers[uid] = fact
        if fact is not None and fact.refusal is not None:
            self._waiting[uid] = None
        else:
            self._waiting.pop(uid, None)

    def _claim(self, key: tuple[str, ...], fact: Any) -> None:
        (self._claims.discard if fact is None else self._claims.add)(key[0])


_HEAR: dict[str, Callable[[Picture, tuple[str, ...], Any], None]] = {
    INVENTORY.kind: Picture._pool,  # noqa: SLF001 - this table is a part of the class
    LEDGERS.kind: Picture._ledger,  # noqa: SLF001
    PREPARED.kind: Picture._preparation,  # noqa: SLF001
    ANSWERS.kind: Picture._answer,  # noqa: SLF001
    CLAIMS.kind: Picture._claim,  # noqa: SLF001
}


def _totals(rows: Iterable[NodeRow]) -> dict[str, int]:
    names = ("devices", "held", "free", "sick", "prepared", "failed")
    rows = tuple(rows)
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def _products(pool: PoolObserved) -> Iterable[str]:
    for device in pool.devices:
        attribute = device.attributes.get("productName")
        if attribute is not None and attribute.string:
            yield attribute.string
