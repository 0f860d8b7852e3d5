"""The documents of an answer: objects, lists, what a deletion says, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from tests.kubeapi.kinds import Kind
from tests.kubeapi.listing import Event, Listing
from tests.kubeapi.statuses import Refused
from tests.kubeapi.targets import Target

Object = Mapping[str, Any]


def answer(document: Object, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=code, content_type="application/json")


def refusal(refused: Refused) -> web.Response:
    response = answer(refused.status(), refused.code)
    if refused.retry_after_seconds:
        response.headers["Retry-After"] = str(refused.retry_after_seconds)
    return response


def line(event: Event) -> bytes:
    """One event of a watch."""
    kind, seen = event
    return msgspec.json.encode({"type": kind, "object": seen}) + b"\n"


def list_document(kind: Kind, listing: Listing) -> Object:
    metadata: dict[str, Any] = {"resourceVersion": str(listing.revision)}
    if listing.token:
        metadata["continue"] = listing.token
    if listing.remaining is not None:
        metadata["remainingItemCount"] = listing.remaining
    return _list(kind, metadata, listing.items)


def deleted_list(kind: Kind, items: Iterable[Object], revision: int) -> Object:
    return _list(kind, {"resourceVersion": str(revision)}, items)


def _list(kind: Kind, metadata: Object, items: Iterable[Object]) -> Object:
    """Items of a typed list do not repeat its kind."""
    bare = [
        {key: value for key, value in item.items() if key not in {"kind", "apiVersion"}} for item in items
    ]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": bare}


def deleted_document(target: Target, stored: Object, *, gone: bool) -> Object:
    """Some kinds, and what is not gone yet, are shown; of all else only that it succeeded is told."""
    if not gone or target.kind.shown_when_deleted:
        return stored
    about = {"name": target.name, "kind": target.kind.plural, "uid": stored["metadata"]["uid"]}
    return success({**about, "group": target.kind.group} if target.kind.group else about)


def success(details: Object | None = None) -> Object:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**status, "details": details} if details else status
