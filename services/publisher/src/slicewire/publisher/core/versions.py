"""The versions of `resource.k8s.io` and what each one writes differently. Pure.

Inside, everything is `v1`. `v1beta2` (from 1.33) is that field for field under another name; `v1beta1`
(from 1.32) wraps a device's body in `basic`, and its requests are flat. How counters may be laid out
depends on the server's release and not on the version: before 1.35 devices draw only from counters of
their own slice, from 1.35 counters have slices of their own. Refuses to guess at a version not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

GROUP = "resource.k8s.io"
GROUP_PATH = f"/apis/{GROUP}"
VERSIONS = ("v1", "v1beta2", "v1beta1")
"""The one to speak is the first that is served."""
COUNTERS_APART_SINCE = 35
_NEWEST = 1000
_Document = Mapping[str, Any]


class Dialect(msgspec.Struct, frozen=True):
    """How one server is spoken to."""

    version: str = "v1"
    minor: int = _NEWEST
    """Of the server's release, 1.<minor>."""

    @property
    def counters_apart(self) -> bool:
        return self.minor >= COUNTERS_APART_SINCE

    def path(self, *parts: str) -> str:
        return "/".join((GROUP_PATH, self.version, *parts))


def dialect(version: str, minor: str) -> Dialect:
    """How to speak to a server of this release ("36", or "36+" of a vendor's) in this version."""
    digits = minor.rstrip("+")
    return Dialect(version, int(digits) if digits.isdigit() else _NEWEST)


def written(document: _Document, dialect: Dialect) -> _Document:
    """A `v1` document as this server is told it."""
    convert = _WRITERS.get((dialect.version, str(document.get("kind"))), _same)
    return {**convert(document), "apiVersion": f"{GROUP}/{dialect.version}"}


def read(document: _Document, kind: str, version: str) -> _Document:
    """What a server of this version has shown, as `v1`."""
    return _READERS.get((version, kind), _same)(document)


def needs_reading(kind: str, version: str) -> bool:
    """Whether `read` changes anything."""
    return (version, kind) in _READERS


def _same(document: _Document) -> _Document:
    return document


def _in_each(*path: str) -> Callable[[Callable[[Any], Any]], Callable[[_Document], _Document]]:
    """Change every item of the list at this path, where there is one."""

    def prepare(change: Callable[[Any], Any]) -> Callable[[_Document], _Document]:
        def convert(document: _Document) -> _Document:
            return _changed(document, path, change)

        return convert

    return prepare


def _changed(document: _Document, path: tuple[str, ...], change: Callable[[Any], Any]) -> _Document:
    field, *rest = path
    if field not in document or document[field] is None:
        return document
    inner = document[field]
    made = _changed(inner, tuple(rest), change) if rest else [change(each) for each in inner]
    return {**document, field: made}


def _wrapped(device: _Document) -> _Document:
    body = {key: value for key, value in device.items() if key != "name"}
    return {"name": device["name"], "basic": body}


def _unwrapped(device: _Document) -> _Document:
    return {"name": device["name"], **(device.get("basic") or {})}


def _flat(request: _Document) -> _Document:
    others = {key: value for key, value in request.items() if key != "exactly"}
    return {**others, **(request.get("exactly") or {})}


def _exact(request: _Document) -> _Document:
    if request.get("firstAvailable"):  # beside it stands an empty deviceClassName
        return {key: request[key] for key in ("name", "firstAvailable")}
    exactly = {key: value for key, value in request.items() if key not in {"name", "firstAvailable"}}
    return {"name": request["name"], "exactly": exactly}


_DEVICES = _in_each("spec", "devices")
_REQUESTS = _in_each("spec", "devices", "requests")
_WRITERS: Mapping[tuple[str, str], Callable[[_Document], _Document]] = {
    ("v1beta1", "ResourceSlice"): _DEVICES(_wrapped),
    ("v1beta1", "ResourceClaim"): _REQUESTS(_flat),
}
_READERS: Mapping[tuple[str, str], Callable[[_Document], _Document]] = {
    ("v1beta1", "ResourceSlice"): _DEVICES(_unwrapped),
    ("v1beta1", "ResourceClaim"): _REQUESTS(_exact),
}
