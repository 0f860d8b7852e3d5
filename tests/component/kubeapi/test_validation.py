"""The finer rules of names and request policies, at their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kubeapi.validation import formats
from tests.kubeapi.validation.capacity import check_capacity
from tests.kubeapi.validation.node_selectors import check_node_selector
from tests.kubeapi.validation.problems import Problems


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (formats.dns_label, ["a", "0a-b9", "a" * 63], ["", "A", "-a", "a-", "a.b", "a" * 64]),
        (formats.dns_subdomain, ["a", "a.b-c.d", "a" * 253], ["", "A", ".a", "a..b", "a" * 254]),
        (formats.driver_name, ["gpu.nvidia.com", "GPU.nvidia.com"], ["", "a_b", "a/b", "a" * 64]),
        (formats.pool_name, ["node-1", "node-1/gpus.a", "a/b/c"], ["", "/", "a/", "a//b", "A", "a" * 254]),
        (
            formats.qualified_name,
            ["model", "_m", "Mo9", "a.b/model", "a" * 32],
            ["", "9a", "a-b", "/a", "a.b/", "a b/c", "a" * 33, f"{'a' * 64}/b"],
        ),
        (formats.fully_qualified_name, ["a.b/c"], ["", "model", "a.b/"]),
        (formats.label_key, ["a", "a.b/C_d.e-f", "A"], ["", "/a", "a/", "-a", "a" * 64, "A.b/c"]),
        (formats.label_value, ["", "a", "A_b.c-d"], ["-a", "a b", "a" * 64]),
        (formats.semver, ["1.2.3", "0.0.0-rc.1+b.7"], ["", "1.2", "v1.2.3", "01.2.3", f"1.2.3-{'a' * 60}"]),
        (
            formats.uuid,
            ["6f7d6b0e-8a2b-4f0e-9d55-0a4c1f0c2b11"],
            ["", "6F7D6B0E-8A2B-4F0E-9D55-0A4C1F0C2B11"],
        ),
    ],
)
def test_a_format_takes_the_good_and_names_the_bad(
    check: Callable[[str, str], Problems], good: list[str], bad: list[str]
) -> None:
    assert {text: list(check(text, "here")) for text in good} == {text: [] for text in good}
    found = {text: {cause.field for cause in check(text, "here")} for text in bad}
    assert found == {text: {"here"} for text in bad}


def complaints(**policy: Any) -> set[str]:
    capacity = {"value": "10", "requestPolicy": policy}
    found = check_capacity(capacity, {"allowMultipleAllocations": True}, "memory")
    return {cause.field.removeprefix("memory.requestPolicy").lstrip(".") for cause in found}


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ({"default": "3"}, set()),
        ({"default": "2", "validValues": ["1", "2", "10"]}, set()),
        ({"default": "2", "validRange": {"min": "2", "max": "8", "step": "3"}}, set()),
        ({"default": "2", "validRange": {"min": "1"}}, set()),
        ({"default": "1", "validValues": ["1"], "validRange": {"min": "1"}}, {""}),
        ({"validRange": {"min": "1"}}, {"default"}),
        ({"default": "3", "validValues": ["1", "2"]}, {"validValues"}),
        ({"default": "1", "validValues": ["1", "11"]}, {"validValues[1]"}),
        ({"default": "1", "validValues": ["1", "1000m"]}, {"validValues[1]"}),
        ({"default": "1", "validValues": ["2", "1"]}, {"validValues[1]"}),
        (
            {"default": "1", "validValues": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "10"]},
            {"validValues", "validValues[10]"},
        ),
        ({"default": "1", "validRange": {}}, {"validRange.min"}),
        ({"default": "1", "validRange": {"min": "2"}}, {"validRange"}),
        ({"default": "9", "validRange": {"min": "1", "max": "8"}}, {"validRange"}),
        ({"default": "1", "validRange": {"min": "1", "max": "11"}}, {"validRange.max"}),
        ({"default": "2", "validRange": {"min": "1", "step": "2"}}, {"validRange.step"}),
        ({"default": "1", "validRange": {"min": "1", "max": "8", "step": "2"}}, {"validRange.step"}),
        ({"default": "1", "validRange": {"min": "1", "step": "0"}}, {"validRange.step"}),
    ],
)
def test_a_request_policy_must_be_one_that_can_be_followed(policy: dict[str, Any], fields: set[str]) -> None:
    assert complaints(**policy) == fields


@pytest.mark.parametrize(
    ("requirement", "field"),
    [
        ({"key": "a", "operator": "In"}, "values"),
        ({"key": "a", "operator": "Exists", "values": ["x"]}, "values"),
        ({"key": "a", "operator": "Gt", "values": ["1", "2"]}, "values"),
        ({"key": "a", "operator": "Near"}, "operator"),
        ({"operator": "Exists"}, "key"),
    ],
)
def test_a_node_requirement_must_make_sense(requirement: dict[str, Any], field: str) -> None:
    found = check_node_selector({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}, "s")
    assert [cause.field for cause in found] == [f"s.nodeSelectorTerms[0].matchExpressions[0].{field}"]


def test_nodes_are_picked_by_field_one_name_at_a_time() -> None:
    wrong = {"key": "metadata.uid", "operator": "Exists", "values": ["a", "b"]}
    found = check_node_selector({"nodeSelectorTerms": [{"matchFields": [wrong]}]}, "s")
    assert [cause.field.rpartition(".")[2] for cause in found] == ["key", "operator", "values"]
