"""Device metadata: what a container may read of its devices, and where it finds it."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.common.model import ClaimName, ClaimUID, Device, DeviceAttribute, DeviceName, Namespace
from slicewire.node_prep.core import metadata
from slicewire.node_prep.core.described import Described, DescribedDevice, GivenDevice
from slicewire.node_prep.core.node import Claim
from tests.kubelet import runtime
from tests.unit.node_prep.builders import DRIVER, POOL, a_device

UID = ClaimUID("6f570f14-3fb1-4637-b575-002163fbb70f")
CLAIM = Claim(uid=UID, namespace=Namespace("default"), name=ClaimName("claim1"))
IN_CONTAINER = "/var/run/kubernetes.io/dra-device-attributes"
KINDS = (
    a_device("gpu-0", type="gpu", uuid="GPU-0"),
    a_device("gpu-0-mig-1g10gb-19-2", type="mig", uuid="MIG-1", parentUUID="GPU-0", profile="1g.10gb"),
    a_device("gpu-vfio-0", **{"type": "vfio", "resource.kubernetes.io/pciBusID": "0000:3b:00.0"}),
)


def a_given(device: Device | str, *request_names: str) -> GivenDevice:
    found = a_device(device) if isinstance(device, str) else device
    described = DescribedDevice(driver=DRIVER, pool=POOL, name=found.name, attributes=found.attributes)
    return GivenDevice(request_names or ("gpu",), described)


def described(*devices: GivenDevice, claim: Claim = CLAIM, pod_claim_name: str = "") -> Described:
    return Described(claim=claim, driver=DRIVER, devices=devices, pod_claim_name=pod_claim_name)


def said(of: Described) -> list[dict[str, Any]]:
    return [json.loads(metadata.encoded(file.content, 1)) for file in metadata.files_of(of)]


@pytest.mark.parametrize("device", KINDS, ids=lambda device: str(device.name))
def test_a_device_of_any_kind_is_described_as_it_was_published(device: Device) -> None:
    attributes = {name: {"string": value.string} for name, value in device.attributes.items()}
    assert said(described(a_given(device), pod_claim_name="mine")) == [
        {
            "apiVersion": "metadata.resource.k8s.io/v1alpha1",
            "kind": "DeviceMetadata",
            "metadata": {"name": "claim1", "namespace": "default", "uid": UID, "generation": 1},
            "podClaimName": "mine",
            "requests": [
                {
                    "name": "gpu",
                    "devices": [
                        {"driver": DRIVER, "pool": POOL, "name": device.name, "attributes": attributes}
                    ],
                }
            ],
        }
    ]


def test_values_have_their_types_as_kubernetes_writes_them() -> None:
    attributes = {
        "numaNode": DeviceAttribute(int_value=1),
        "ready": DeviceAttribute(bool_value=False),
        "driverVersion": DeviceAttribute(version="550.163.1"),
    }
    [one] = said(described(a_given(Device(name=DeviceName("gpu-0"), attributes=attributes))))
    assert one["requests"][0]["devices"][0]["attributes"] == {
        "numaNode": {"int": 1},
        "ready": {"bool": False},
        "driverVersion": {"version": "550.163.1"},
    }


def test_each_request_has_its_file_and_an_alternative_the_one_of_its_request() -> None:
    of = described(a_given("gpu-0", "one"), a_given("gpu-1", "two/small"), a_given("gpu-2", "one"))
    assert [(file.request, file.path) for file in metadata.files_of(of)] == [
        ("one", "dra-device-metadata/default_claim1/one/metadata.json"),
        ("two", "dra-device-metadata/default_claim1/two/metadata.json"),
    ]
    requests = [one["requests"][0] for one in said(of)]
    assert [(one["name"], [device["name"] for device in one["devices"]]) for one in requests] == [
        ("one", ["gpu-0", "gpu-2"]),
        ("two/small", ["gpu-1"]),
    ]


def test_a_request_s_file_comes_with_its_first_device() -> None:
    of = described(a_given("gpu-0", "one", "two"), a_given("gpu-1", "one"), a_given("gpu-2", "three"))
    assert metadata.cdi_ids(of) == {
        "gpu-0": (
            f"gpu.nvidia.com/metadata={UID}_one",
            f"gpu.nvidia.com/metadata={UID}_two",
        ),
        "gpu-2": (f"gpu.nvidia.com/metadata={UID}_three",),
    }


@pytest.mark.parametrize(
    ("pod_claim_name", "folder"),
    [("", "resourceclaims/claim1"), ("mine", "resourceclaimtemplates/mine")],
)
def test_the_pod_finds_it_by_the_name_it_knows_its_claim_by(pod_claim_name: str, folder: str) -> None:
    of = described(a_given("gpu-0"), pod_claim_name=pod_claim_name)
    spec = json.loads(metadata.cdi_spec(of, "gpu", "/plugin/metadata.json"))
    runtime.check(spec)
    assert spec == {
        "cdiVersion": "0.5.0",
        "kind": "gpu.nvidia.com/metadata",
        "devices": [
            {
                "name": f"{UID}_gpu",
                "containerEdits": {
                    "mounts": [
                        {
                            "hostPath": "/plugin/metadata.json",
                            "containerPath": f"{IN_CONTAINER}/{folder}/gpu/gpu.nvidia.com-metadata.json",
                            "options": ["ro", "bind"],
                        }
                    ]
                },
            }
        ],
    }


def test_the_specs_of_a_claim_are_known_by_their_names() -> None:
    name = metadata.cdi_file_name(DRIVER, UID, "gpu")
    assert name == f"gpu.nvidia.com_metadata_{UID}_gpu.json"
    others = ("gpu.nvidia.com_metadata_other_gpu.json", f"{name}.tmp", f"other_metadata_{UID}_gpu.json")
    assert metadata.cdi_files_among((name, *others), DRIVER, UID) == (name,)


def test_a_claim_that_is_known_by_its_uid_only_has_none() -> None:
    of = described(a_given("gpu-0"), claim=Claim(uid=UID))
    assert metadata.files_of(of) == ()
    assert metadata.cdi_ids(of) == {}


def test_a_file_is_read_back_as_it_was_written_and_another_is_nobodys() -> None:
    [file] = metadata.files_of(described(a_given(KINDS[0])))
    read = metadata.decoded(metadata.encoded(file.content, 7))
    assert read is not None
    assert (read.metadata.uid, read.metadata.generation) == (UID, 7)
    assert read.requests == file.content.requests
    assert metadata.decoded(b"{") is None
    assert metadata.decoded(b"") is None


NAME = st.text(alphabet="./\\\0 aA0_-", min_size=1, max_size=200)


@settings(deadline=None, max_examples=40)
@given(NAME, NAME, NAME)
def test_no_name_leads_out_of_the_folder(namespace: str, name: str, request: str) -> None:
    claim = Claim(uid=UID, namespace=Namespace(namespace), name=ClaimName(name))
    of = described(a_given("gpu-0", request), claim=claim, pod_claim_name=name)
    for file in metadata.files_of(of):
        paths = (file.path, metadata.container_path(of, file.request))
        assert [len(PurePosixPath(path).parts) for path in paths] == [4, 9]
        assert not any(part in (".", "..") for path in paths for part in path.split("/"))
        assert "/" not in metadata.cdi_file_name(DRIVER, UID, file.request)
        runtime.check(json.loads(metadata.cdi_spec(of, file.request, f"/plugin/{file.path}")))
