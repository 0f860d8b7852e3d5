"""Field ownership as `managedFields` writes it, and what laying over and taking out do."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.kubeapi.device_shapes import CLAIM
from tests.kubeapi.fields import from_tree, leaves_of, overlaid, spoken, to_tree, without

CLAIM_OBJECT: dict[str, Any] = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "c", "uid": "u", "labels": {"a": "1"}, "finalizers": ["x/y"]},
    "spec": {"devices": {"requests": [{"name": "gpu"}]}},
    "status": {"reservedFor": [{"uid": "1", "name": "p"}]},
}


def test_lists_by_key_and_sets_are_owned_entry_by_entry_and_others_whole() -> None:
    assert to_tree(leaves_of(CLAIM_OBJECT, CLAIM)) == {
        "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"x/y"': {}}},
        "f:spec": {"f:devices": {"f:requests": {}}},
        "f:status": {"f:reservedFor": {'k:{"uid":"1"}': {".": {}, "f:uid": {}, "f:name": {}}}},
    }


def test_a_path_is_spoken_as_a_conflict_names_it() -> None:
    path = ("f:status", "f:reservedFor", 'k:{"uid":"1"}', "f:name")
    assert spoken(path) == '.status.reservedFor[{"uid":"1"}].name'


STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', f"v:{json.dumps('y')}"])


@given(paths=st.sets(st.lists(STEPS, min_size=1, max_size=4).map(tuple)))
def test_owned_paths_come_back_from_their_tree(paths: set[tuple[str, ...]]) -> None:
    assert set(from_tree(to_tree(paths))) == paths


def test_what_is_laid_over_adds_entries_and_keeps_the_others() -> None:
    applied = {"status": {"reservedFor": [{"uid": "2", "name": "q"}]}, "metadata": {"finalizers": ["z/z"]}}
    made = overlaid(CLAIM_OBJECT, applied, CLAIM)
    assert [each["uid"] for each in made["status"]["reservedFor"]] == ["1", "2"]
    assert made["metadata"]["finalizers"] == ["x/y", "z/z"]
    assert made["spec"] == CLAIM_OBJECT["spec"]


@given(data=st.data())
def test_an_object_less_a_leaf_has_all_leaves_but_that_one(data: st.DataObject) -> None:
    leaves = leaves_of(CLAIM_OBJECT, CLAIM)
    path = data.draw(st.sampled_from(sorted(leaves)))
    left = leaves_of(without(CLAIM_OBJECT, path, CLAIM), CLAIM)
    assert path not in left
    kept = {each for each in leaves if each[: len(path)] != path}
    assert kept >= {each for each in left if each in leaves}
    assert without(CLAIM_OBJECT, ("f:nowhere", "f:at"), CLAIM) == CLAIM_OBJECT
