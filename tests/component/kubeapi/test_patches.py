"""Patches change what they say, leave the original alone, and are refused whole."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.kubeapi.patches import json_patch, merge_patch, strategic_merge_patch
from tests.kubeapi.shapes import NODE, POD
from tests.kubeapi.statuses import Refused


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_follows_its_standard(target: Any, patch: Any, result: Any) -> None:
    before = deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/list/1", "value": "x"}], {"list": ["a", "x", "b"], "at": {"k/y": 1}}),
        ([{"op": "add", "path": "/list/-", "value": "x"}], {"list": ["a", "b", "x"], "at": {"k/y": 1}}),
        ([{"op": "replace", "path": "/list/0", "value": "x"}], {"list": ["x", "b"], "at": {"k/y": 1}}),
        ([{"op": "remove", "path": "/at/k~1y"}], {"list": ["a", "b"], "at": {}}),
        ([{"op": "move", "from": "/list/0", "path": "/list/1"}], {"list": ["b", "a"], "at": {"k/y": 1}}),
        ([{"op": "copy", "from": "/list/0", "path": "/b"}], {"list": ["a", "b"], "at": {"k/y": 1}, "b": "a"}),
        ([{"op": "replace", "path": "", "value": {"new": 1}}], {"new": 1}),
    ],
)
def test_a_json_patch_follows_its_standard(operations: list[Any], result: Any) -> None:
    target = {"list": ["a", "b"], "at": {"k/y": 1}}
    assert json_patch(target, operations) == result
    assert target == {"list": ["a", "b"], "at": {"k/y": 1}}


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({"op": "add"}, 400),
        ([{"op": "turn", "path": "/a"}], 400),
        ([{"op": "remove", "path": "a"}], 400),
        ([{"op": "remove", "path": "/b"}], 422),
        ([{"op": "replace", "path": "/b", "value": 1}], 422),
        ([{"op": "add", "path": "/a/9", "value": 1}], 422),
        ([{"op": "add", "path": "/a/0", "value": 1}, {"op": "test", "path": "/a/0", "value": 2}], 422),
    ],
)
def test_a_json_patch_that_cannot_be_done_is_refused_whole(operations: Any, code: int) -> None:
    target: dict[str, Any] = {"a": []}
    with pytest.raises(Refused) as refused:
        json_patch(target, operations)
    assert refused.value.code == code
    assert target == {"a": []}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


def gates(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({"schedulingGates": [{"name": "a", "$patch": "delete"}]}, gates("b")),
        ({"schedulingGates": gates("c")}, gates("a", "b", "c")),
        ({"schedulingGates": [*gates("c"), {"$patch": "replace"}]}, gates("c")),
        ({"schedulingGates": None}, None),
    ],
)
def test_a_strategic_patch_merges_lists_by_their_key(patch: dict[str, Any], left: Any) -> None:
    patched = strategic_merge_patch(pod(schedulingGates=gates("a", "b")), {"spec": patch}, POD)
    assert patched["spec"].get("schedulingGates") == left


def test_a_strategic_patch_changes_one_field_of_one_entry() -> None:
    containers = [{"name": "a", "image": "one", "env": [1]}, {"name": "b", "image": "two"}]
    patched = strategic_merge_patch(
        pod(containers=containers), {"spec": {"containers": [{"name": "a", "image": "three"}]}}, POD
    )
    assert patched["spec"]["containers"] == [{"name": "a", "image": "three", "env": [1]}, containers[1]]


def test_a_strategic_patch_unites_finalizers_and_takes_single_ones_out() -> None:
    stored = {"metadata": {"finalizers": ["a", "b"]}}
    taken = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(stored, taken, POD)["metadata"]["finalizers"] == ["b"]
    added = {"metadata": {"finalizers": ["b", "c"], "$setElementOrder/finalizers": ["b", "c"]}}
    assert strategic_merge_patch(stored, added, POD)["metadata"] == {"finalizers": ["a", "b", "c"]}


def test_a_strategic_patch_replaces_lists_that_have_no_key() -> None:
    stored = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    patched = strategic_merge_patch(stored, {"spec": {"taints": [{"key": "b", "effect": "None"}]}}, NODE)
    assert patched["spec"]["taints"] == [{"key": "b", "effect": "None"}]


def test_a_strategic_patch_without_the_key_is_a_bad_request() -> None:
    with pytest.raises(Refused, match="merge key: name"):
        strategic_merge_patch(pod(), {"spec": {"containers": [{"image": "x"}]}}, POD)
