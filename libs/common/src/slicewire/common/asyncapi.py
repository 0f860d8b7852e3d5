"""The catalogue of messages as an AsyncAPI 3.0 document and as a page for people. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from slicewire.common.messages import CATALOGUE, ENDPOINTS, SCHEMA_VERSION, VERSION, Channel, Endpoint
from slicewire.common.model import Quantity

_ENVELOPE = {
    "type": "object",
    "properties": {
        "content-type": {"const": "application/json"},
        "ce-specversion": {"const": "1.0"},
        "ce-id": {"type": "string", "description": "Unique for each message told"},
        "ce-source": {"type": "string", "description": "/slicewire/<who told it>"},
        "ce-type": {"type": "string", "description": "dev.slicewire.v1.<fact>"},
        "ce-dataschema": {
            "type": "string",
            "pattern": r"^urn:slicewire:schema:\d+\.\d+:[a-z]+$",
            "description": f"urn:slicewire:schema:<version>:<kind>; this document is of {SCHEMA_VERSION}",
        },
        "ce-time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string", "description": "W3C trace context of the work that told it"},
    },
}


_DESCRIPTION = (
    "Facts are the whole truth about their key, kept as the latest of it in the JetStream stream"
    " SLICEWIRE_STATE; a body of null says that nothing is under the key any more. SLICEWIRE_HISTORY keeps"
    " what was superseded. Requests are NATS micro services."
)


def document(version: str) -> dict[str, Any]:
    """The AsyncAPI document as plain dicts and lists, in a stable order."""
    kinds: list[type] = [channel.fact for channel in CATALOGUE]
    kinds += [kind for endpoint in ENDPOINTS for kind in (endpoint.request, endpoint.reply)]
    _, schemas = msgspec.json.schema_components(
        kinds, schema_hook=_schema, ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Slicewire",
            "version": version,
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {
            **{channel.kind: _fact_channel(channel) for channel in CATALOGUE},
            **{e.name: _request_channel(e) for e in ENDPOINTS},
            **{f"{e.name}Reply": _reply_channel(e) for e in ENDPOINTS},
        },
        "operations": {
            **{f"tell{_title(c.kind)}": _tell(c) for c in CATALOGUE},
            **{f"answer{_title(e.name)}": _answer(e) for e in ENDPOINTS},
        },
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "messageTraits": {"envelope": {"headers": _ENVELOPE}},
        },
    }


def page() -> str:
    """docs/messages.md."""
    lines = [
        "# Messages",
        "",
        "Generated from `slicewire.common.messages`; the schemas are in [asyncapi.json](asyncapi.json).",
        "",
        "| Subject | Fact | Author | Says |",
        "| --- | --- | --- | --- |",
    ]
    for channel in CATALOGUE:
        says = _first_line(channel.fact)
        lines.append(f"| `{_address(channel)}` | {channel.fact.__name__} | {channel.author} | {says} |")
    lines += ["", "| Request subject | Request | Reply | Served by |", "| --- | --- | --- | --- |"]
    for endpoint in ENDPOINTS:
        names = f"{endpoint.request.__name__} | {endpoint.reply.__name__}"
        lines.append(f"| `{_request_address(endpoint)}` | {names} | {endpoint.server} |")
    return "\n".join((*lines, ""))


def _schema(kind: type) -> dict[str, Any]:
    if kind is Quantity:
        return {
            "type": ["string", "integer"],
            "title": "Quantity",
            "description": "A Kubernetes quantity such as 40Gi or 100m",
        }
    raise NotImplementedError(kind)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n")[0]


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _address(channel: Channel[Any]) -> str:
    return ".".join((VERSION, "state", channel.kind, *(f"{{{name}}}" for name in channel.key_names)))


def _request_address(endpoint: Endpoint[Any, Any]) -> str:
    return ".".join((VERSION, "request", endpoint.name, *(f"{{{name}}}" for name in endpoint.key_names)))


def _parameters(names: tuple[str, ...]) -> dict[str, Any]:
    text = "Name as Kubernetes has it, with '_' for each '.'"
    return {"parameters": {name: {"description": text} for name in names}} if names else {}


def _message(kind: type, *, enveloped: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    message: dict[str, Any] = {"name": kind.__name__, "summary": _first_line(kind)}
    if enveloped:
        message["traits"] = [{"$ref": "#/components/messageTraits/envelope"}]
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {kind.__name__: {**message, "contentType": "application/json", "payload": schema}}


def _fact_channel(channel: Channel[Any]) -> dict[str, Any]:
    return {
        "address": _address(channel),
        "summary": _first_line(channel.fact),
        **_parameters(channel.key_names),
        "messages": _message(channel.fact, enveloped=True),
    }


def _request_channel(endpoint: Endpoint[Any, Any]) -> dict[str, Any]:
    return {
        "address": _request_address(endpoint),
        **_parameters(endpoint.key_names),
        "messages": _message(endpoint.request, enveloped=False),
    }


def _reply_channel(endpoint: Endpoint[Any, Any]) -> dict[str, Any]:
    return {"address": None, "messages": _message(endpoint.reply, enveloped=False)}


def _tell(channel: Channel[Any]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel.kind}"},
        "summary": f"Told by {channel.author} alone",
    }


def _answer(endpoint: Endpoint[Any, Any]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{endpoint.name}"},
        "summary": f"Answered by one {endpoint.server}",
        "reply": {
            "address": {"location": "$message.header#/reply"},
            "channel": {"$ref": f"#/channels/{endpoint.name}Reply"},
        },
    }
