"""What is kept of a sent object: known fields, of the right type, in canonical notation."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kubeapi.device_shapes import SLICE
from tests.kubeapi.examples import a_device, a_pod, a_slice
from tests.kubeapi.quantities import NotAQuantity, amount, canonical
from tests.kubeapi.schema import WrongType, conform
from tests.kubeapi.shapes import POD


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0", "0"),
        ("80Gi", "80Gi"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1536Mi", "1536Mi"),
        ("0.5Ki", "512"),
        ("512Ki", "512Ki"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("2000m", "2"),
        ("1e3", "1e3"),
        ("-1024Mi", "-1Gi"),
        ("0.1n", "1n"),
    ],
)
def test_a_quantity_keeps_its_family_of_suffixes(sent: str, kept: str) -> None:
    assert canonical(sent) == kept


@given(number=st.integers(-(10**12), 10**12), suffix=st.sampled_from(["", "m", "k", "Ki", "Mi", "G", "e3"]))
def test_canonical_notation_says_the_same_amount_and_is_stable(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert amount(once) == amount(f"{number}{suffix}")
    assert canonical(once) == once


def test_finer_than_a_nano_is_rounded_away_from_zero() -> None:
    assert amount("0.0000000001") == Fraction(1, 10**9)
    assert amount("-0.0000000001") == Fraction(-1, 10**9)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1Zi", "one", "1e", "--1", "0x1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(NotAQuantity):
        canonical(text)


def device(**fields: Any) -> dict[str, Any]:
    return a_slice(devices=[a_device(**fields)])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (device(name=7), "spec.devices[0].name: 7 is not a string"),
        (device(allNodes="yes"), "spec.devices[0].allNodes: 'yes' is not true or false"),
        (
            device(attributes={"a": {"int": 1.5}}),
            "spec.devices[0].attributes[a].int: 1.5 is not a whole number",
        ),
        (
            device(attributes={"a": {"int": True}}),
            "spec.devices[0].attributes[a].int: True is not a whole number",
        ),
        (device(attributes={"a": {"int": 2**63}}), "is not a whole number"),
        (device(attributes=[]), "spec.devices[0].attributes: [] is not an object"),
        (
            device(capacity={"m": {"value": "1Zi"}}),
            "spec.devices[0].capacity[m].value: '1Zi' is not a quantity",
        ),
        (
            device(taints=[{"timeAdded": "noon"}]),
            "spec.devices[0].taints[0].timeAdded: 'noon' is not an RFC 3339",
        ),
        (device(taints=[{"timeAdded": "2026-13-01T00:00:00Z"}]), "is not an RFC 3339 time"),
        ({"spec": {"devices": {}}}, "spec.devices: {} is not a list"),
        ([], "body: [] is not an object"),
    ],
)
def test_a_wrong_type_is_named_with_its_field_and_value(sent: Any, told: str) -> None:
    with pytest.raises(WrongType) as wrong:
        conform(sent, SLICE)
    assert told in str(wrong.value)


def test_unknown_fields_are_dropped_and_listed() -> None:
    made = conform(device(colour="green"), SLICE)
    assert made.unknown == ["spec.devices[0].colour"]
    assert made.value["spec"]["devices"] == [a_device()]


def test_fields_of_features_that_are_off_are_dropped() -> None:
    made = conform(device(attributes={"sizes": {"ints": [1, 2]}}), SLICE)
    assert made.value["spec"]["devices"][0]["attributes"] == {"sizes": {}}


def test_open_kinds_keep_what_they_do_not_describe() -> None:
    sent = a_pod(claims=[{"name": "gpu", "resourceClaimName": "c"}], hostNetwork=True)
    made = conform(sent, POD)
    assert (made.value, made.unknown) == (sent, [])


def test_nulls_and_empty_lists_are_as_good_as_absent() -> None:
    made = conform(a_slice(devices=[a_device(taints=[], nodeName=None, attributes={})]), SLICE)
    assert made.value["spec"]["devices"] == [{"name": "gpu-0"}]


def test_times_are_kept_in_whole_seconds_of_utc() -> None:
    made = conform(device(taints=[{"timeAdded": "2026-01-02T03:04:05.678+01:00"}]), SLICE)
    assert made.value["spec"]["devices"][0]["taints"] == [{"timeAdded": "2026-01-02T02:04:05Z"}]
