"""What a node policy says, and what is wrong with one that cannot be used."""

from __future__ import annotations

import re
from typing import Any

import pytest

from slicewire.discovery.core.policy import (
    Choice,
    DeviceType,
    Identity,
    NodePolicy,
    Partitions,
)
from slicewire.discovery.core.policychecks import BadPolicy, checked

HEADER = {"apiVersion": "slicewire.dev/v1alpha1", "kind": "NodePolicy"}
FIRST = Identity(
    node="node-a", name="gpu-0", uuid="GPU-0", pci_bus_id="0000:1a:00.0", product_name="NVIDIA H100 PCIe"
)


def _policy(**fields: Any) -> NodePolicy:
    return checked({**HEADER, **fields})


def _rule(**match: Any) -> NodePolicy:
    return _policy(rules=[{"match": match, "shares": 4}])


def test_without_rules_gpus_are_offered_as_they_are() -> None:
    assert _policy().choice(FIRST) == Choice(
        offer=(DeviceType.GPU, DeviceType.MIG), partitions=Partitions.STATIC, shares="disabled"
    )


def test_the_first_rule_that_matches_decides() -> None:
    found = _policy(
        rules=[
            {"match": {"names": ["gpu-1"]}, "shares": 2},
            {"match": {"names": ["gpu-0", "gpu-1"]}, "shares": 3},
            {"shares": 4},
        ]
    )
    assert found.choice(FIRST).shares == 3


def test_what_a_rule_leaves_out_is_as_in_the_default() -> None:
    found = _policy(default={"partitions": "dynamic", "shares": "memory"}, rules=[{"shares": "disabled"}])
    assert found.choice(FIRST) == Choice(partitions=Partitions.DYNAMIC, shares="disabled")


def test_a_rule_may_offer_nothing() -> None:
    assert _policy(rules=[{"offer": []}]).choice(FIRST).offer == ()


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"nodes": ["other", "node-?"]},
        {"names": ["gpu-0"]},
        {"uuids": ["GPU-0"]},
        {"pciBusIDs": ["0000:1a:00.0"]},
        {"productNames": ["*H100*"]},
        {"nodes": ["node-a"], "names": ["gpu-0"], "productNames": ["NVIDIA*"]},
    ],
)
def test_a_rule_is_for_the_gpus_that_every_list_of_it_has(match: dict[str, Any]) -> None:
    assert _rule(**match).choice(FIRST).shares == 4


@pytest.mark.parametrize(
    "match",
    [
        {"nodes": ["node-b"]},
        {"names": ["gpu-*"]},
        {"uuids": ["GPU-1"]},
        {"pciBusIDs": ["0000:1b:00.0"]},
        {"productNames": ["H100"]},
        {"nodes": ["node-a"], "names": ["gpu-1"]},
    ],
)
def test_and_for_no_others(match: dict[str, Any]) -> None:
    assert _rule(**match).choice(FIRST).shares == "disabled"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"default": {"ofer": ["gpu"]}}, "default: there is no field `ofer`"),
        ({"rules": [{"matches": {}}]}, "rules[0]: there is no field `matches`"),
        ({"rules": [{"match": {"uuid": "x"}}]}, "rules[0].match: there is no field `uuid`"),
        ({"defaults": {}}, "policy: there is no field `defaults`"),
        ({"rules": [{"offer": ["gpu", "gpus"]}]}, "rules[0].offer[1]: 'gpus' is not one of gpu, mig, vfio"),
        ({"default": {"offer": "gpu"}}, "default.offer: 'gpu' is not one of gpu, mig, vfio"),
        ({"default": {"partitions": "all"}}, "default.partitions: 'all' is not static or dynamic"),
        (
            {"default": {"shares": 0}},
            "default.shares: 0 is not disabled, unlimited, memory or a number from 1",
        ),
        ({"default": {"shares": "four"}}, "default.shares: 'four' is not disabled, unlimited, memory"),
        ({"default": {"shares": True}}, "default.shares: True is not disabled"),
        ({"rules": [{}, {"shares": -1}]}, "rules[1].shares: -1 is not"),
        ({"rules": {}}, "rules: {} cannot be used: Expected `array`, got `object`"),
        ({"rules": [{"match": {"names": "gpu-0"}}]}, "rules[0].match.names: 'gpu-0' cannot be used"),
        ({"default": {"offer": ["gpu", "gpu"]}}, "default.offer: [gpu, gpu] names one twice"),
        (
            {"rules": [{"offer": ["gpu"], "partitions": "dynamic"}]},
            "rules[0].partitions: dynamic offers partitions, and offer [gpu] has no mig",
        ),
        ({"rules": [{"offer": ["vfio"], "shares": 2}]}, "rules[0].shares: 2 of what"),
        ({"rules": [{"match": {"names": []}}]}, "rules[0].match.names: [] matches no GPU"),
        ({"rules": [{"match": {"uuids": [""]}}]}, "rules[0].match.uuids: '' matches no GPU"),
        ({"rules": [{"match": {"pciBusIDs": ["1a:00.0"]}}]}, "pciBusIDs: '1a:00.0' is not written as"),
        ({"rules": [{"match": {"pciBusIDs": ["0000:1A:00.0"]}}]}, "'0000:1A:00.0' is not written as"),
        ({"apiVersion": "v1"}, "apiVersion: 'v1' is not slicewire.dev/v1alpha1"),
        ({"kind": "Policy"}, "kind: 'Policy' is not NodePolicy"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field_and_value(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadPolicy, match=re.escape(words)):
        _policy(**fields)


def test_what_is_only_inherited_is_no_contradiction() -> None:
    found = _policy(default={"partitions": "dynamic", "shares": 2}, rules=[{"offer": ["vfio"]}])
    assert found.choice(FIRST).offer == (DeviceType.VFIO,)


@pytest.mark.parametrize("document", [None, [], "NodePolicy", 3])
def test_a_document_that_is_no_mapping_is_no_policy(document: object) -> None:
    with pytest.raises(BadPolicy, match="a policy is a mapping"):
        checked(document)
