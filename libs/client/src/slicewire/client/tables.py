"""Facts as rows for people, and as JSON for programs. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from slicewire.client.library import latest
from slicewire.client.silence import Place
from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    LEDGERS,
    PREPARED,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ExplainReply,
    LedgerEntry,
    Moment,
)
from slicewire.common.model import ClaimUID, Device, DeviceID, Unsatisfiable


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    device: str
    product: str
    memory: str
    pcie_root: str
    numa: str
    state: str
    """`free`, `unreadable: …`, a taint, the claims that hold it, or that its agent is silent."""


class ClaimRow(msgspec.Struct, frozen=True, kw_only=True):
    claim: str
    state: str
    """`waiting`, `allocated`, `prepared` or `failed`."""
    node: str
    devices: tuple[str, ...]
    decided_by: str
    note: str


def device_rows(
    heard: Sequence[Heard[Any]], silent: Collection[Place] = frozenset()
) -> tuple[DeviceRow, ...]:
    """`silent`: the pools whose agents do not answer. What is said of their devices may be old."""
    holders: dict[DeviceID, list[str]] = {}
    for ledger in latest(heard, LEDGERS):
        for entry in ledger.entries:
            for result in entry.results:
                holders.setdefault(result.device_id, []).append(entry.claim.label)
    rows = []
    for pool in latest(heard, INVENTORY):
        for device in pool.devices:
            held = holders.get(DeviceID(pool.driver, pool.pool, device.name), [])
            old = ("agent silent",) if (pool.node, pool.driver) in silent else ()
            rows.append(_device_row(pool.node, device, (*held, *old)))
        rows += [
            DeviceRow(node=pool.node, device=gap.what, state=f"unreadable: {gap.reason}", **_NOTHING)
            for gap in pool.unreadable
        ]
    return tuple(sorted(rows, key=lambda row: (row.node, row.device)))


_NOTHING = {"product": "", "memory": "", "pcie_root": "", "numa": ""}


def _device_row(node: str, device: Device, held: Sequence[str]) -> DeviceRow:
    taints = [f"{taint.key}:{taint.effect}" for taint in device.taints]
    memory = device.capacity.get("memory")
    return DeviceRow(
        node=node,
        device=device.name,
        product=_attribute(device, "productName"),
        memory=_gibibytes(memory.value.value) if memory else "",
        pcie_root=_attribute(device, "resource.kubernetes.io/pcieRoot"),
        numa=_attribute(device, "resource.kubernetes.io/numaNode"),
        state=", ".join((*held, *taints)) or "free",
    )


def _attribute(device: Device, name: str) -> str:
    attribute = device.attributes.get(name)
    if attribute is None:
        return ""
    values = (attribute.string, attribute.version, attribute.int_value, attribute.bool_value)
    return next((str(value) for value in values if value is not None), "")


def _gibibytes(amount: Any) -> str:
    tenths = int(amount) * 10 // 1024**3
    return f"{tenths // 10}.{tenths % 10} GiB"


def claim_rows(heard: Sequence[Heard[Any]]) -> tuple[ClaimRow, ...]:
    answers = {fact.claim.uid: fact for fact in latest(heard, ANSWERS)}
    prepared = {fact.claim.uid: fact for fact in latest(heard, PREPARED)}
    entries: dict[ClaimUID, list[LedgerEntry]] = {}
    for ledger in latest(heard, LEDGERS):
        for entry in ledger.entries:
            entries.setdefault(entry.claim.uid, []).append(entry)
    rows = []
    for fact in latest(heard, CLAIMS):
        uid = fact.claim.uid
        rows.append(_claim_row(fact, answers.get(uid), entries.get(uid, []), prepared.get(uid)))
    return tuple(sorted(rows, key=lambda row: row.claim))


def _claim_row(
    fact: ClaimObserved,
    answer: ClaimAnswered | None,
    entries: Sequence[LedgerEntry],
    prepared: ClaimPrepared | None,
) -> ClaimRow:
    state, note = _state(answer, bool(entries), prepared)
    return ClaimRow(
        claim=fact.claim.label,
        state=state,
        node=", ".join(sorted({result.pool for entry in entries for result in entry.results})),
        devices=tuple(result.device for entry in entries for result in entry.results),
        decided_by=entries[0].origin if entries else fact.decided_by,
        note=note,
    )


def _state(answer: ClaimAnswered | None, held: bool, prepared: ClaimPrepared | None) -> tuple[str, str]:
    if prepared is not None and prepared.error:
        return "failed", prepared.error
    if prepared is not None:
        return "prepared", ""
    if held or (answer is not None and answer.allocation is not None):
        return "allocated", ""
    return "waiting", answer.refusal.message if answer and answer.refusal else ""


def explanation(refusal: Unsatisfiable) -> str:
    """The one-line truth, then who was refused and why."""
    lines = [refusal.message]
    for group in refusal.refusals:
        where = f"{group.node}: " if group.node else ""
        devices = "device" if group.count == 1 else "devices"
        who = f"{group.count} {devices}: " if group.count else ""
        lines.append(f"  {where}{who}{group.message}")
        named = ", ".join(device.device for device in group.devices)
        if named:
            more = group.count - len(group.devices)
            lines.append(f"      {named}{f' and {more} more' if more > 0 else ''}")
    return "\n".join(lines)


def advice(reply: ExplainReply) -> str:
    """The cheapest change that makes it fit, and where it fits then."""
    change = reply.change
    if change is None:
        return "Would fit if: (no single change helps)"
    devices = ", ".join(device.device for device in change.devices)
    return f"Would fit if: {change.message}\n  then on {change.node}: {devices}"


def moment(then: Moment) -> str:
    """What moment the answer is about, and what is not known of it."""
    told = f", {then.time}" if then.time else ""
    return "\n".join((f"As of event {then.event}{told}:", *(f"  but {gap}" for gap in then.gaps)))


def event(heard: Heard[Any], subject: str) -> Mapping[str, Any]:
    """A fact with its envelope, one JSON line each. Its sequence is the one in the history."""
    headers = heard.headers
    return {
        "sequence": heard.event,
        "subject": subject,
        "type": headers.get("ce-type", ""),
        "source": headers.get("ce-source", ""),
        "time": headers.get("ce-time", ""),
        "traceparent": headers.get("traceparent", ""),
        "fact": heard.fact,
    }
