"""One request, one answer: the API's verbs read from HTTP and asked of the store. Watches are apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import yaml
from aiohttp import web

from tests.kubeapi.answers import answer, deleted_document, deleted_list, list_document, success
from tests.kubeapi.faults import Call
from tests.kubeapi.older import shown, taken
from tests.kubeapi.parameters import (
    is_true,
    needs_manager,
    read_deletion,
    read_page,
    read_selection,
    read_write,
)
from tests.kubeapi.patches import json_patch, merge_patch, strategic_merge_patch
from tests.kubeapi.requests import Write
from tests.kubeapi.statuses import bad_request, not_allowed, unsupported_media
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target

APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_BODIES = ("application/json", "application/yaml")

Verb = Callable[[Store, Target, web.Request], Awaitable[web.Response]]


def call_of(target: Target, request: web.Request) -> Call:
    """Which verb this is. Raises the 405 of a method that means nothing here."""
    named = bool(target.name)
    match request.method:
        case "GET" if is_true(request.query, "watch"):
            verb = "watch"
        case "GET":
            verb = "get" if named else "list"
        case "POST" if not named or target.subresource == "binding":
            verb = "create"
        case "PUT" if named and target.subresource != "binding":
            verb = "update"
        case "PATCH" if named and target.subresource in {"", "status"}:
            verb = "apply" if request.content_type == APPLY else "patch"
        case "DELETE" if not target.subresource:
            verb = "delete" if named else "deletecollection"
        case _:
            raise not_allowed()
    return Call(verb, target.kind.plural, target.namespace, target.name, target.subresource)


async def _get(store: Store, target: Target, _request: web.Request) -> web.Response:
    return _answer(target, store.get(target))


async def _list(store: Store, target: Target, request: web.Request) -> web.Response:
    listing = store.list(read_selection(target, request.query), read_page(request.query))
    items = tuple(shown(target.kind, each, target.version) for each in listing.items)
    listed = list_document(target.kind, replace(listing, items=items))
    version = f"{target.kind.group}/{target.version}" if target.version else target.kind.api_version
    return answer({**listed, "apiVersion": version})


async def _create(store: Store, target: Target, request: web.Request) -> web.Response:
    body = taken(target.kind, await _body(request), target.version)
    if target.subresource:
        store.bind(target, str((body.get("target") or {}).get("name") or ""), _write_of(request))
        return answer(success(), 201)
    if target.kind.namespaced and not target.namespace:
        raise not_allowed()
    return _answer(target, store.create(target, body, _write_of(request)), 201)


async def _update(store: Store, target: Target, request: web.Request) -> web.Response:
    body = taken(target.kind, await _body(request), target.version)
    created = store.find(target) is None
    return _answer(target, store.update(target, body, _write_of(request)), 201 if created else 200)


async def _patch(store: Store, target: Target, request: web.Request) -> web.Response:
    body = await _body(request, (_MERGE, _JSON, _STRATEGIC))
    patched: Callable[[Any], Any]
    match request.content_type:
        case "application/merge-patch+json":
            patched = partial(merge_patch, patch=body)
        case "application/json-patch+json":
            patched = partial(json_patch, operations=body)
        case _:
            patched = partial(strategic_merge_patch, patch=body, shape=target.kind.shape)

    def changed(stored: Any) -> Any:
        seen = shown(target.kind, stored, target.version)
        return taken(target.kind, patched(seen), target.version)

    return _answer(target, store.patch(target, changed, _write_of(request)))


async def _apply(store: Store, target: Target, request: web.Request) -> web.Response:
    if refused := needs_manager(request.query):
        raise refused
    body = taken(target.kind, await _body(request, (APPLY,)), target.version)
    created = store.find(target) is None
    return _answer(target, store.apply(target, body, _write_of(request)), 201 if created else 200)


async def _delete(store: Store, target: Target, request: web.Request) -> web.Response:
    deletion = read_deletion(request.query, await _options(request))
    stored, gone = store.delete(target, deletion)
    return answer(deleted_document(target, shown(target.kind, stored, target.version), gone=gone))


async def _delete_collection(store: Store, target: Target, request: web.Request) -> web.Response:
    deletion = read_deletion(request.query, await _options(request))
    items = store.delete_all(read_selection(target, request.query), deletion)
    return answer(deleted_list(target.kind, items, store.history.revision))


VERBS: Mapping[str, Verb] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "apply": _apply,
    "delete": _delete,
    "deletecollection": _delete_collection,
}


def _answer(target: Target, stored: Mapping[str, Any], code: int = 200) -> web.Response:
    return answer(shown(target.kind, stored, target.version), code)


def _write_of(request: web.Request) -> Write:
    return read_write(request.query, request.headers.get("User-Agent", ""))


async def _body(request: web.Request, accepted: tuple[str, ...] = _BODIES) -> Any:
    if request.content_type not in accepted:
        raise unsupported_media(request.content_type, accepted)
    return _decode(await request.read(), request.content_type)


async def _options(request: web.Request) -> Mapping[str, Any]:
    """The body of a deletion, which may be missing."""
    data = await request.read()
    options = _decode(data, request.content_type) if data else {}
    if not isinstance(options, Mapping):
        raise bad_request("the body is not a DeleteOptions object")
    return options


def _decode(data: bytes, content_type: str) -> Any:
    try:
        return yaml.safe_load(data) if content_type.endswith("yaml") else msgspec.json.decode(data)
    except (msgspec.DecodeError, yaml.YAMLError) as bad:
        raise bad_request(f"error decoding the body: {bad}") from bad
