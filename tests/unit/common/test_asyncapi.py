"""The AsyncAPI document: complete, consistent, true of the real bytes, and the one in docs/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slicewire.common import asyncapi
from slicewire.common.messages import (
    CATALOGUE,
    ENDPOINTS,
    INVENTORY,
    LEDGERS,
    ClaimRef,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceName,
    DeviceRequestAllocationResult,
    DriverName,
    NodeName,
    PoolName,
    Quantity,
    RequestName,
    wire,
)

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = asyncapi.document(metadata.version("slicewire-common"))
NODE, DRIVER, POOL, GPU = NodeName("n"), DriverName("gpu.nvidia.com"), PoolName("n"), DeviceName("gpu-0")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def payload(channel: str) -> dict[str, Any]:
    """The one message of a channel, as a schema that stands alone."""
    (message,) = DOCUMENT["channels"][channel]["messages"].values()
    return {**message["payload"], "components": DOCUMENT["components"]}


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 40
    for reference in found:
        assert isinstance(resolved(reference), dict), reference


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_fact_of_the_catalogue_has_its_channel_its_author_and_its_message() -> None:
    for channel in CATALOGUE:
        found = DOCUMENT["channels"][channel.kind]
        key = [f"{{{name}}}" for name in channel.key_names]
        assert found["address"] == ".".join([channel.subject(), *key])
        assert set(found["parameters"]) == set(channel.key_names)
        assert list(found["messages"]) == [channel.fact.__name__]
        assert found["summary"]
        (operation,) = (
            each
            for each in DOCUMENT["operations"].values()
            if each["channel"]["$ref"] == f"#/channels/{channel.kind}"
        )
        assert operation["action"] == "send"
        assert channel.author in operation["summary"]


def test_every_request_has_its_channel_its_server_and_its_reply() -> None:
    for endpoint in ENDPOINTS:
        found = DOCUMENT["channels"][endpoint.name]
        assert found["address"].startswith(endpoint.subject())
        assert list(found["messages"]) == [endpoint.request.__name__]
        operation = DOCUMENT["operations"][f"answer{endpoint.name[0].upper()}{endpoint.name[1:]}"]
        assert endpoint.server in operation["summary"]
        answered = resolved(operation["reply"]["channel"]["$ref"])
        assert list(answered["messages"]) == [endpoint.reply.__name__]


def test_nothing_is_described_that_is_not_sent() -> None:
    sent = {channel.kind for channel in CATALOGUE} | {endpoint.name for endpoint in ENDPOINTS}
    assert set(DOCUMENT["channels"]) == sent | {f"{endpoint.name}Reply" for endpoint in ENDPOINTS}
    assert len(DOCUMENT["operations"]) == len(CATALOGUE) + len(ENDPOINTS)


def test_the_envelope_of_every_fact_is_described_and_a_forgotten_key_may_be_null() -> None:
    for channel in CATALOGUE:
        (message,) = DOCUMENT["channels"][channel.kind]["messages"].values()
        (trait,) = message["traits"]
        headers = resolved(trait["$ref"])["headers"]
        assert "traceparent" in headers["properties"]
        jsonschema.validate({"ce-dataschema": channel.schema}, headers)
        jsonschema.validate(None, payload(channel.kind))


GPU_WITH_MEMORY = Device(
    name=GPU,
    attributes={"index": DeviceAttribute(int_value=0), "type": DeviceAttribute(string="gpu")},
    capacity={"memory": DeviceCapacity(value=Quantity("80Gi"))},
)
RESULT = DeviceRequestAllocationResult(request=RequestName("gpu"), driver=DRIVER, pool=POOL, device=GPU)
CLAIM = ClaimRef(uid=ClaimUID("u"), name=ClaimName("train"))


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        (
            INVENTORY.kind,
            PoolObserved(node=NODE, driver=DRIVER, pool=POOL, generation=2, devices=(GPU_WITH_MEMORY,)),
        ),
        (
            LEDGERS.kind,
            LedgerWritten(node=NODE, driver=DRIVER, entries=(LedgerEntry(claim=CLAIM, results=(RESULT,)),)),
        ),
    ],
)
def test_the_bytes_on_the_wire_are_as_described_and_others_are_not(kind: str, fact: Any) -> None:
    sent = json.loads(wire.encode(fact))
    jsonschema.validate(sent, payload(kind))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**sent, "node": 7}, payload(kind))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: value for name, value in sent.items() if name != "driver"}, payload(kind))


def test_the_document_in_docs_is_the_one_that_is_generated() -> None:
    generated = json.dumps(DOCUMENT, indent=2, ensure_ascii=False)
    assert (DOCS / "asyncapi.json").read_text() == f"{generated}\n", "run `make generate`"


def test_the_page_in_docs_is_the_one_that_is_generated_and_names_everything() -> None:
    page = asyncapi.page()
    assert (DOCS / "messages.md").read_text() == page, "run `make generate`"
    for channel in CATALOGUE:
        assert f"| {channel.fact.__name__} | {channel.author} |" in page
    for endpoint in ENDPOINTS:
        assert f"| {endpoint.request.__name__} | {endpoint.reply.__name__} | {endpoint.server} |" in page
