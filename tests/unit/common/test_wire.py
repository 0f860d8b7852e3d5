"""JSON in and out: lenient to peers, strict to people, and no input does more than be refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common import messages, model
from slicewire.common.model import (
    Device,
    DeviceClass,
    Node,
    OpaqueDeviceConfiguration,
    Quantity,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceSlice,
    wire,
)
from slicewire.common.model.struct import Object

CLAIM: dict[str, Any] = {
    "metadata": {"name": "train", "namespace": "default"},
    "spec": {
        "devices": {
            "requests": [
                {
                    "name": "gpu",
                    "exactly": {
                        "deviceClassName": "gpu.nvidia.com",
                        "count": 2,
                        "capacity": {"requests": {"memory": "40Gi"}},
                    },
                }
            ]
        }
    },
}
KINDS = tuple(
    dict.fromkeys(
        kind
        for module in (model, messages)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Object) and kind not in (Object, messages.Fact)
    )
)


PLAIN: dict[Any, Any] = {
    str: "text",
    int: 7,
    bool: True,
    Quantity: Quantity("40Gi"),
    Any: {"kind": "GpuConfig", "of": None, "list": [1, None, {"deep": 1.5}]},
}


def a_value(hint: Any) -> Any:
    """Some value of a type, every field filled in."""
    plain = getattr(hint, "__supertype__", hint)
    if plain in PLAIN:
        return PLAIN[plain]
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        return plain(**{field.name: a_value(inner) for field, inner in wire._fields(plain)})
    if isinstance(plain, type) and issubclass(plain, Enum):
        return next(iter(plain))
    first, *others = get_args(plain)
    if get_origin(plain) is tuple:
        return (a_value(first), a_value(first))
    if get_origin(plain) in (dict, Mapping):  # of Any are only conditions, whose fields are plain
        return {"some.example.com/key": "text" if others[0] is Any else a_value(others[0])}
    return a_value(first)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_value_of_every_kind_comes_back_whole_and_its_bytes_are_always_the_same(kind: type[Object]) -> None:
    value = a_value(kind)
    data = wire.encode(value)
    assert wire.decode(data, kind) == value
    assert wire.encode(wire.decode(data, kind)) == data
    assert wire.convert(wire.to_builtins(value), kind) == value
    assert wire.strictly(json.loads(data), kind) == value


def test_every_kind_above_is_filled_in_to_the_last_field() -> None:
    value = a_value(ResourceClaim)
    assert all(getattr(value, field.name) for field in msgspec.structs.fields(ResourceClaim))
    assert len(KINDS) > 50


def test_keys_are_ordered_and_defaults_left_out() -> None:
    left = OpaqueDeviceConfiguration(driver=model.DriverName("d"), parameters={"b": 1, "a": 2})
    assert wire.encode(left) == b'{"driver":"d","parameters":{"a":2,"b":1}}'
    assert wire.encode(model.DeviceClaim()) == b"{}"


def test_a_quantity_keeps_the_words_it_came_in() -> None:
    counter = wire.decode(b'{"value":"1.024k"}', model.Counter)
    assert wire.encode(counter) == b'{"value":"1.024k"}'
    assert wire.decode(b'{"value":5}', model.Counter).value == Quantity("5")


@pytest.mark.parametrize("number", ["1.5", "true", "[]", '"40Gb"'])
def test_what_is_no_quantity_is_named_with_its_place(number: str) -> None:
    with pytest.raises(wire.Malformed, match=r"is not a quantity|Expected") as caught:
        wire.decode(f'{{"name":"g","capacity":{{"memory":{{"value":{number}}}}}}}', Device)
    assert "$.capacity" in str(caught.value)


def test_a_peer_may_send_fields_that_are_not_known_yet() -> None:
    given_later = {**CLAIM, "future": 1, "spec": {**CLAIM["spec"], "more": {"x": []}}}
    assert wire.decode(json.dumps(given_later), ResourceClaim) == wire.convert(CLAIM, ResourceClaim)
    assert wire.convert(given_later, ResourceClaim) == wire.convert(CLAIM, ResourceClaim)


@pytest.mark.parametrize(
    ("path", "field", "place"),
    [
        ((), "sepc", "$"),
        (("spec",), "device", "$.spec"),
        (("spec", "devices", "requests", 0), "exactley", "$.spec.devices.requests[0]"),
        (("spec", "devices", "requests", 0, "exactly"), "cuont", "$.spec.devices.requests[0].exactly"),
        (("metadata",), "lables", "$.metadata"),
    ],
)
def test_a_person_is_told_which_field_is_unknown_and_where(
    path: tuple[str | int, ...], field: str, place: str
) -> None:
    document: Any = json.loads(json.dumps(CLAIM))
    inner = document
    for step in path:
        inner = inner[step]
    inner[field] = 1
    with pytest.raises(wire.Malformed) as caught:
        wire.strictly(document, ResourceClaim)
    assert str(caught.value) == f"Object contains unknown field `{field}` - at `{place}`"


def test_an_unknown_field_below_a_map_is_named_with_the_key() -> None:
    document = {"name": "g", "capacity": {"memory": {"value": "1Gi", "polcy": {}}}}
    with pytest.raises(wire.Malformed, match=r"`polcy` - at `\$\.capacity\.memory`"):
        wire.strictly(document, Device)


def test_a_wrong_value_is_named_with_its_place() -> None:
    document = {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"count": "two"}}]}}}
    with pytest.raises(wire.Malformed, match=r"Expected `int`, got `str` - at `\$\.spec.*\.count`"):
        wire.strictly(document, ResourceClaim)


def test_api_version_and_kind_are_no_unknown_fields_at_the_top_and_only_there() -> None:
    header = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim"}
    assert wire.strictly({**header, **CLAIM}, ResourceClaim) == wire.strictly(CLAIM, ResourceClaim)
    with pytest.raises(wire.Malformed, match="unknown field `kind`"):
        wire.strictly({"metadata": {"name": "x", "kind": "y"}}, ResourceClaim)


def test_null_means_absent_as_go_writes_it() -> None:
    document = {
        "metadata": {"name": "x", "creationTimestamp": None, "labels": None},
        "spec": {"devices": {"requests": None, "constraints": None, "config": None}},
        "status": None,
    }
    bare = {"metadata": {"name": "x"}}
    assert wire.decode(json.dumps(document), ResourceClaim) == wire.convert(bare, ResourceClaim)
    assert wire.strictly(document, ResourceClaim) == wire.convert(bare, ResourceClaim)


OPAQUE = {"a": None, "b": [None, {"c": None, "parameters": None}], "n": 2**70, "f": 0.1, "": ""}


@pytest.mark.parametrize("also", [{}, {"requests": None}], ids=["at once", "after a null elsewhere"])
def test_opaque_parameters_are_left_exactly_as_they_are(also: dict[str, Any]) -> None:
    document = {**also, "opaque": {"driver": "d", "parameters": OPAQUE}}
    for read in (
        wire.decode(json.dumps(document), model.DeviceClaimConfiguration),
        wire.strictly(document, model.DeviceClaimConfiguration),
    ):
        assert read.opaque is not None
        assert read.opaque.parameters == OPAQUE
        assert json.loads(wire.encode(read))["opaque"]["parameters"] == OPAQUE


def test_the_data_a_driver_keeps_in_a_claim_is_left_as_it_is_too() -> None:
    ids = {"driver": "d", "pool": "p", "device": "g"}
    document = {"devices": [{**ids, "data": OPAQUE, "networkData": OPAQUE}], "reservedFor": None}
    read = wire.decode(json.dumps(document), model.ResourceClaimStatus)
    assert (read.devices[0].data, read.devices[0].network_data) == (OPAQUE, OPAQUE)


@pytest.mark.parametrize("kind", [ResourceClaim, ResourceClaimTemplate, DeviceClass, ResourceSlice, Node])
def test_an_api_object_says_what_it_is(kind: Any) -> None:
    value = a_value(kind)
    document = wire.document(value)
    version = "v1" if kind is Node else "resource.k8s.io/v1"
    assert (document["apiVersion"], document["kind"]) == (version, kind.__name__)
    assert wire.strictly(document, kind) == value


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
known_names = st.sampled_from(
    [
        "metadata",
        "spec",
        "status",
        "devices",
        "requests",
        "exactly",
        "capacity",
        "labels",
        "name",
        "selectors",
    ]
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known_names | st.text(max_size=4), inner),
    max_leaves=12,
)


def reads_or_refuses(door: Callable[[Any, type[ResourceClaim]], ResourceClaim], given: Any) -> bool:
    try:
        said = str(door(given, ResourceClaim).metadata)
    except wire.Malformed as error:
        said = str(error)
    return bool(said)


@given(st.binary(max_size=60) | st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_bytes_are_read_or_refused_as_malformed_and_nothing_else(data: bytes | str) -> None:
    assert reads_or_refuses(wire.decode, data)


@given(trees)
def test_any_json_is_read_or_refused_as_malformed_and_nothing_else(tree: Any) -> None:
    assert reads_or_refuses(wire.decode, json.dumps(tree))
    assert reads_or_refuses(wire.convert, tree)
    assert reads_or_refuses(wire.strictly, tree)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b'"\xff"',
        b'{"metadata":{"name":"\xff"}}',
        "\ud800",
        '{"metadata":{"name":"\ud800"}}',
        b'{"metadata":{"name":"\\ud800"}}',
        b"[" * 100_000,
        b'{"metadata":' * 50_000,
        b'{"metadata":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"status":null,"metadata":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
        b'{"spec":1' + b"0" * 5_000 + b"}",
        b"1e999",
        b"NaN",
        b"{}{}",
    ],
    ids=range(15),
)
def test_hostile_text_is_refused_as_malformed(text: bytes | str) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(text, ResourceClaim)
