"""Settings from the environment: typed, and a misspelt name is an error, not a silence.

A field `cdi_root` of the settings of node-prep is `SLICEWIRE_NODE_PREP_CDI_ROOT`; the fields of
`CommonSettings` are shared by all parts: `SLICEWIRE_NATS_URL`.
"""

from __future__ import annotations

import difflib
import socket
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

PREFIX = "SLICEWIRE_"
PARTS = ("DISCOVERY", "ALLOCATOR", "NODE_PREP", "PUBLISHER", "CLIENT")


class BadSettings(ValueError):
    """A setting is unknown or has a value that cannot be used; the message names both."""


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every part needs to know."""

    nats_url: str = "nats://127.0.0.1:4222"
    nats_credentials: str = ""
    """Path of a NATS credentials file, read again at every connection; empty connects without."""
    nats_ca: str = ""
    """Path of the certificates that sign the bus' own; then nothing is said without TLS."""
    nats_replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """On how many servers of the bus each stream is kept, where this part makes it."""
    node_name: str = msgspec.field(default_factory=socket.gethostname)
    """The Kubernetes name of the node that node agents run on."""
    otlp_endpoint: str = ""
    """Where spans go (OTLP/HTTP); `OTEL_EXPORTER_OTLP_ENDPOINT` counts too. Empty: nowhere."""
    trace_sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Of the traces that begin here, how many are kept: 0 none, 0.01 one in a hundred, 1 all."""
    log_level: Annotated[str, msgspec.Meta(pattern="^(?i:debug|info|warning|error)$")] = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"
    """`json`, or `text` for people; `auto` is text on a terminal and JSON everywhere else."""
    health_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Port of /healthz, /readyz and /metrics on all addresses; 0 serves none."""


S = TypeVar("S", bound=CommonSettings)


def from_environ(kind: type[S], part: str, environ: Mapping[str, str]) -> S:
    """The settings of a part. Raises `BadSettings`."""
    names = _names(kind, part)
    others = tuple(f"{PREFIX}{other}_" for other in PARTS if other != part)
    given: dict[str, Any] = {}
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in environ:
        given["otlp_endpoint"] = environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name.startswith(others):
            continue
        if name not in names:
            raise BadSettings(f"{name} is not a setting of {part.lower()}{_nearest(name, part, names)}")
        given[names[name]] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(_in_words(error, given, names) + _choices(kind, error)) from error


def _names(kind: type[CommonSettings], part: str) -> dict[str, str]:
    """Environment name → field."""
    shared = {field.name for field in msgspec.structs.fields(CommonSettings)}
    return {
        f"{PREFIX}{'' if field.name in shared else part + '_'}{field.name.upper()}": field.name
        for field in msgspec.structs.fields(kind)
    }


def _nearest(name: str, part: str, names: Mapping[str, str]) -> str:
    """What was meant, by the field alone: the prefix makes all names alike."""
    bare = name.removeprefix(PREFIX).removeprefix(f"{part}_").lower()
    near = difflib.get_close_matches(bare, names.values(), n=1)
    meant = [known for known, field in names.items() if field in near]
    return f"; did you mean {meant[0]}?" if meant else f"; there are {', '.join(sorted(names))}"


def _in_words(error: msgspec.ValidationError, given: Mapping[str, str], names: Mapping[str, str]) -> str:
    reason, field = str(error).partition(" - at `$.")[0], _field(error)
    name = next((name for name, known in names.items() if known == field), field)
    return f"{name}={given.get(field, '')!r}: {reason}"


def _choices(kind: type[CommonSettings], error: msgspec.ValidationError) -> str:
    """What there is to choose from, where the setting is a choice."""
    hint = get_type_hints(kind).get(_field(error))
    return f"; there are {', '.join(get_args(hint))}" if get_origin(hint) is Literal else ""


def _field(error: msgspec.ValidationError) -> str:
    return str(error).partition(" - at `$.")[2].rstrip("`")


def described(kind: type[CommonSettings], part: str) -> str:
    """The settings and their defaults, for `--help`."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    lines = [f"  {name} (default {_default(fields[field])!r})" for name, field in _names(kind, part).items()]
    return "\n".join(("settings, from the environment:", *lines))


def _default(field: Any) -> object:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
