"""What each version of the device API writes differently."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.publisher.core.versions import Dialect, dialect, needs_reading, read, written

DEVICE = {"name": "gpu-0", "attributes": {"model": {"string": "x"}}, "taints": [{"key": "k"}]}
EXACT = {"name": "gpu", "exactly": {"deviceClassName": "c", "count": 2}}
CHOICE = {"name": "any", "firstAvailable": [{"name": "fast", "deviceClassName": "c"}]}


def a_slice(*devices: Any) -> dict[str, Any]:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": "s"},
        "spec": {"driver": "d", "devices": list(devices)},
    }


def a_claim(*requests: Any) -> dict[str, Any]:
    spec = {"devices": {"requests": list(requests), "constraints": []}}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {}, "spec": spec}


@pytest.mark.parametrize(
    ("version", "minor", "release"),
    [("v1", "36", 36), ("v1beta1", "32", 32), ("v1beta2", "33+", 33), ("v1", "", 1000)],
)
def test_a_release_is_a_number_and_an_unreadable_one_the_newest(
    version: str, minor: str, release: int
) -> None:
    assert dialect(version, minor) == Dialect(version, release)


@pytest.mark.parametrize(("minor", "apart"), [(32, False), (34, False), (35, True), (37, True)])
def test_counters_are_apart_since_1_35(minor: int, apart: bool) -> None:
    assert Dialect("v1", minor).counters_apart is apart


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
def test_v1beta2_is_v1_under_another_name(version: str) -> None:
    told = written(a_slice(DEVICE), Dialect(version))
    assert told == {**a_slice(DEVICE), "apiVersion": f"resource.k8s.io/{version}"}
    assert not needs_reading("ResourceSlice", version)


def test_v1beta1_wraps_the_body_of_a_device() -> None:
    told = written(a_slice(DEVICE), Dialect("v1beta1"))
    assert told["spec"]["devices"] == [
        {"name": "gpu-0", "basic": {"attributes": DEVICE["attributes"], "taints": DEVICE["taints"]}}
    ]
    assert read(told, "ResourceSlice", "v1beta1")["spec"] == a_slice(DEVICE)["spec"]


def test_v1beta1_has_flat_requests_and_leaves_alternatives_as_they_are() -> None:
    told = written(a_claim(EXACT, CHOICE), Dialect("v1beta1"))
    assert told["spec"]["devices"]["requests"] == [
        {"name": "gpu", "deviceClassName": "c", "count": 2},
        CHOICE,
    ]
    assert read(told, "ResourceClaim", "v1beta1")["spec"] == a_claim(EXACT, CHOICE)["spec"]


def test_the_empty_class_beside_alternatives_is_not_read() -> None:
    shown = a_claim({**CHOICE, "deviceClassName": ""})
    assert read(shown, "ResourceClaim", "v1beta1")["spec"]["devices"]["requests"] == [CHOICE]


@pytest.mark.parametrize("spec", [{}, {"devices": None}, {"devices": []}])
def test_a_slice_without_devices_is_read_as_it_is(spec: dict[str, Any]) -> None:
    assert read({"spec": spec}, "ResourceSlice", "v1beta1") == {"spec": spec}


def test_paths_have_the_version() -> None:
    assert Dialect("v1beta1").path("resourceslices", "s") == "/apis/resource.k8s.io/v1beta1/resourceslices/s"
