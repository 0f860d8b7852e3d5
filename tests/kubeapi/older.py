"""The betas of the device API, as another way to write what is stored in `v1`.

`v1beta2` differs by its name alone. In `v1beta1` a device's body is in `basic`, and a request is flat; one
with alternatives shows an empty class beside them, as Go writes a string that is never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.kubeapi.kinds import CLAIM_TEMPLATES, CLAIMS, EVERY_TAINT_RULES, SLICES, Kind

Object = Mapping[str, Any]
GROUP = "resource.k8s.io"
BETAS = ("v1beta2", "v1beta1")


def has_betas(kind: Kind) -> bool:
    """Whether it may be served in these as well. Each version of a taint rule is a kind of its own."""
    return kind.group == GROUP and kind not in EVERY_TAINT_RULES


def shown(kind: Kind, stored: Object, version: str) -> Object:
    """A stored object as a client of this version sees it."""
    return _converted(kind, stored, version, _SHOWN, f"{GROUP}/{version}")


def taken(kind: Kind, sent: Any, version: str) -> Any:
    """What a client of this version has sent, as it is stored. What is no object is left to others."""
    if not version or not isinstance(sent, Mapping):
        return sent
    if sent.get("apiVersion") not in {None, "", f"{GROUP}/{version}"}:
        return sent  # refused later: it is of another version than its address
    return _converted(kind, sent, version, _TAKEN, kind.api_version)


def _converted(
    kind: Kind, document: Object, version: str, how: Mapping[Kind, Callable[[Any], Any]], api_version: str
) -> Object:
    if not version:
        return document
    made = {**document, "apiVersion": api_version}
    path = _PATHS.get(kind)
    return made if path is None or version != "v1beta1" else _changed(made, path, how[kind])


def _changed(document: Object, path: tuple[str, ...], change: Callable[[Any], Any]) -> Object:
    inner = document.get(path[0])
    if inner is None:
        return document
    made = [change(each) for each in inner] if len(path) == 1 else _changed(inner, path[1:], change)
    return {**document, path[0]: made}


def _wrap(device: Object) -> Object:
    return {"name": device["name"], "basic": {key: device[key] for key in device if key != "name"}}


def _unwrap(device: Object) -> Object:
    return {**device.get("basic", {}), **{key: device[key] for key in device if key != "basic"}}


def _flatten(request: Object) -> Object:
    if "exactly" in request:
        return {"name": request["name"], **request["exactly"]}
    return {**request, "deviceClassName": ""}


def _nest(request: Object) -> Object:
    if request.get("firstAvailable"):
        return {key: request[key] for key in request if key in {"name", "firstAvailable"}}
    return {
        "name": request.get("name", ""),
        "exactly": {key: request[key] for key in request if key != "name"},
    }


_REQUESTS = ("spec", "devices", "requests")
_PATHS: Mapping[Kind, tuple[str, ...]] = {
    SLICES: ("spec", "devices"),
    CLAIMS: _REQUESTS,
    CLAIM_TEMPLATES: ("spec", *_REQUESTS),
}
_SHOWN: Mapping[Kind, Callable[[Any], Any]] = {SLICES: _wrap, CLAIMS: _flatten, CLAIM_TEMPLATES: _flatten}
_TAKEN: Mapping[Kind, Callable[[Any], Any]] = {SLICES: _unwrap, CLAIMS: _nest, CLAIM_TEMPLATES: _nest}
