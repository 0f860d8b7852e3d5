"""The document itself: its version is the lowest that runtimes need for what is in it."""

from __future__ import annotations

import json

import pytest

from slicewire.node_prep.core.cdi import (
    KIND,
    CdiDevice,
    CdiDeviceNode,
    CdiHook,
    CdiMount,
    ContainerEdits,
    encode,
    spec_of,
)
from tests.kubelet import runtime

PLAIN = ContainerEdits(env=("A=B",))
OLDER = {"0.4.0": "0.3.0", "0.5.0": "0.4.0", "0.6.0": "0.5.0"}


@pytest.mark.parametrize(
    ("kind", "device", "edits", "version"),
    [
        (KIND, "a", PLAIN, "0.3.0"),
        (KIND, "a", ContainerEdits(device_nodes=(CdiDeviceNode(path="/dev/x"),)), "0.3.0"),
        (KIND, "a", ContainerEdits(mounts=(CdiMount(host_path="/a", container_path="/b"),)), "0.3.0"),
        (
            KIND,
            "a",
            ContainerEdits(mounts=(CdiMount(host_path="t", container_path="/b", type="tmpfs"),)),
            "0.4.0",
        ),
        (
            KIND,
            "a",
            ContainerEdits(device_nodes=(CdiDeviceNode(path="/dev/x", host_path="/dev/y"),)),
            "0.5.0",
        ),
        (KIND, "1a", PLAIN, "0.5.0"),
        ("gpu.nvidia.com/dotted.class", "1a", PLAIN, "0.6.0"),
    ],
)
def test_the_version_is_the_lowest_that_suffices(
    kind: str, device: str, edits: ContainerEdits, version: str
) -> None:
    spec = spec_of(kind, (CdiDevice(name=device, container_edits=edits),))
    assert spec.cdi_version == version
    document = json.loads(encode(spec))
    if version in OLDER:
        document["cdiVersion"] = OLDER[version]
        with pytest.raises(runtime.BadSpec, match=r"is lower than the content needs|\$"):
            runtime.check(document)


def test_what_is_shared_counts_for_the_version_too() -> None:
    shared = ContainerEdits(device_nodes=(CdiDeviceNode(path="/dev/x", host_path="/dev/y"),))
    assert spec_of(KIND, (CdiDevice(name="a", container_edits=PLAIN),), shared).cdi_version == "0.5.0"


def test_a_field_that_says_nothing_is_left_out() -> None:
    hook = CdiHook(hook_name="createContainer", path="/h")
    spec = spec_of(KIND, (CdiDevice(name="a", container_edits=ContainerEdits(hooks=(hook,))),))
    assert json.loads(encode(spec)) == {
        "cdiVersion": "0.3.0",
        "kind": KIND,
        "devices": [
            {
                "name": "a",
                "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/h"}]},
            }
        ],
    }


def test_edits_are_put_together_in_their_order() -> None:
    both = ContainerEdits(env=("A=1",)) + ContainerEdits(env=("B=2",), mounts=())
    assert both == ContainerEdits(env=("A=1", "B=2"))
