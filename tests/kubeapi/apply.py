"""Who set which field, and server-side apply: `metadata.managedFields` kept as upstream keeps it.

A write owns what it changed; an apply owns what it says. An apply that would change a field of
somebody else is a conflict unless forced; a field its last apply said and this one does not is removed
when nobody else owns it. Not done: conversion between API versions, and pruning of emptied parents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubeapi.fields import Path, from_tree, leaves_of, overlaid, spoken, to_tree, without
from tests.kubeapi.kinds import Kind
from tests.kubeapi.statuses import Cause, Refused

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Manager:
    """One owner of fields: who, and whether it updates or applies, and through which subresource."""

    name: str
    operation: str = "Update"
    subresource: str = ""


@dataclass(frozen=True)
class Share:
    paths: frozenset[Path]
    time: str


Shares = Mapping[Manager, Share]


def read_shares(stored: Object) -> Shares:
    return {
        Manager(entry["manager"], entry["operation"], entry.get("subresource", "")): Share(
            frozenset(from_tree(entry.get("fieldsV1", {}))), entry.get("time", "")
        )
        for entry in stored["metadata"].get("managedFields", ())
    }


def with_shares(kind: Kind, stored: Object, shares: Shares) -> dict[str, Any]:
    entries = [_entry(kind, manager, share) for manager, share in shares.items() if share.paths]
    metadata = {key: each for key, each in stored["metadata"].items() if key != "managedFields"}
    return {**stored, "metadata": {**metadata, **({"managedFields": entries} if entries else {})}}


def _entry(kind: Kind, manager: Manager, share: Share) -> dict[str, Any]:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": kind.api_version,
        "time": share.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_tree(share.paths),
    }
    return {**entry, "subresource": manager.subresource} if manager.subresource else entry


def owned_after_update(kind: Kind, old: Object, new: Object, manager: Manager, now: str) -> dict[str, Any]:
    """The new object, its changed fields owned by whoever changed them."""
    before, after = leaves_of(old, kind.shape), leaves_of(new, kind.shape)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    shares = {
        each: _lessened(share, changed | gone if each != manager else gone)
        for each, share in read_shares(old).items()
    }
    if changed:
        mine = shares.pop(manager, Share(frozenset(), now))
        shares[manager] = Share(mine.paths | changed, now)
    return with_shares(kind, new, shares)


def _lessened(share: Share, paths: set[Path]) -> Share:
    return Share(share.paths - paths, share.time)


@dataclass(frozen=True)
class Applied:
    """An apply's outcome before the usual checks of a write: the object and who then owns what."""

    made: Object
    shares: Shares


def applied(kind: Kind, live: Object, config: Object, manager: Manager, *, force: bool, now: str) -> Applied:
    """Lay the configuration over the live object. Raises a conflict unless forced."""
    said, current = leaves_of(config, kind.shape), leaves_of(live, kind.shape)
    shares = dict(read_shares(live))
    mine = shares.pop(manager, Share(frozenset(), ""))
    contested = {path for path, value in said.items() if path in current and current[path] != value}
    taken = {each: share.paths & contested for each, share in shares.items() if share.paths & contested}
    if taken and not force:
        raise _conflict(kind, taken)
    shares = {each: _lessened(share, set(taken.get(each, ()))) for each, share in shares.items()}
    owned_by_others = frozenset[Path]().union(*(share.paths for share in shares.values()))
    made = overlaid(live, config, kind.shape)
    for path in sorted(mine.paths - said.keys() - owned_by_others, key=len):
        # an item of a list goes as one, before the keys by which it is found; what others own some of, or
        # what is still said in part, stays
        if not any(each[: len(path)] == path for each in (*owned_by_others, *said)):
            made = without(made, path, kind.shape)
    unchanged = mine.paths == said.keys()
    shares[manager] = Share(frozenset(said), mine.time if unchanged else now)
    return Applied(made, shares)


def _conflict(kind: Kind, taken: Mapping[Manager, frozenset[Path]]) -> Refused:
    causes = [
        Cause(
            "FieldManagerConflict", f'conflict with "{manager.name}" using {kind.api_version}', spoken(path)
        )
        for manager, paths in taken.items()
        for path in sorted(paths)
    ]
    count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    told = "; ".join(f"{cause.message}: {cause.field}" for cause in causes)
    return Refused(409, "Conflict", f"Apply failed with {count}: {told}", causes=causes)
