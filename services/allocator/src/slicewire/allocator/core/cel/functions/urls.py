"""URLs as Kubernetes reads a request URI: absolute, or a path from the root."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec

from slicewire.allocator.core.cel.cost.prices import traversal
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import register

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+(?:%25[^\]]*)?\]|[^\[\]:]*)(?::(?P<port>[0-9]*))?")
_HOST_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>\"%]|[^\x00-\x7f])*")
_PATH_SAFE = "$&+,/:;=@!'()*[]-_.~%"


class Url(msgspec.Struct, frozen=True):
    """A URL in its parts, as they are written."""

    text: str
    scheme: str
    host: str
    path: str
    query: str


register(Url, "kubernetes.URL")


def parsed_url(text: str) -> Url:
    """The URL, or a ValueError that says what is wrong."""
    if not text:
        raise ValueError("empty url")
    if _CONTROL.search(text):
        raise ValueError("invalid control character in URL")
    rest, _, _ = text.partition("#")
    scheme = ""
    match = _SCHEME.fullmatch(rest)
    if match:
        scheme, rest = match[1].lower(), match[2]
    if not rest.startswith("/"):
        if scheme and rest:
            return Url(text, scheme, "", "", "")
        raise ValueError("invalid URI for request")
    rest, _, query = rest.partition("?")
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        host, slash, path = rest[2:].partition("/")
        host, rest = _checked_host(host), slash + path
    if _ESCAPED.search(rest):
        raise ValueError("invalid URL escape in the path")
    return Url(text, scheme, host, rest, query)


def _checked_host(authority: str) -> str:
    """The host with its port, without who asks for it."""
    host = authority.rpartition("@")[2]
    if not _HOST_CHARACTERS.fullmatch(host):
        raise ValueError("invalid character in host name")
    if _HOST.fullmatch(host) is None:
        raise ValueError(f"invalid port or host {host!r}")
    return host


def _part(name: str, url: Url) -> str:
    match = _HOST.fullmatch(url.host)
    return (match[name] or "") if match else ""


def _url(text: str) -> Url:
    try:
        return parsed_url(text)
    except ValueError as error:
        raise Failed(f"URL parse error during conversion from string: parse {text!r}: {error}") from None


def _is_url(text: str) -> bool:
    try:
        parsed_url(text)
    except ValueError:
        return False
    return True


def _query(url: Url) -> dict[str, tuple[str, ...]]:
    """Every key with its values in order. Like Go, drops a pair with a bad escape or a semicolon."""
    found: dict[str, tuple[str, ...]] = {}
    for pair in url.query.split("&"):
        if not pair or ";" in pair or _ESCAPED.search(pair):
            continue
        name, _, value = (unquote(part.replace("+", " "), errors="replace") for part in pair.partition("="))
        found[name] = (*found.get(name, ()), value)
    return found


_PARSE = traversal(keeps_size=True)

OVERLOADS = (
    overload("url(string) -> Url", _url, _PARSE),
    overload("isURL(string) -> bool", _is_url),
    overload("Url.getScheme() -> string", lambda url: url.scheme),
    overload("Url.getHost() -> string", lambda url: url.host),
    overload("Url.getHostname() -> string", lambda url: _part("name", url).strip("[]")),
    overload("Url.getPort() -> string", lambda url: _part("port", url)),
    overload(
        "Url.getEscapedPath() -> string", lambda url: quote(url.path, safe=_PATH_SAFE, errors="replace")
    ),
    overload("Url.getQuery() -> map(string, list(string))", _query),
)
