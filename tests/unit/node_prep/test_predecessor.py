"""What NVIDIA's DRA driver wrote down is read as it is, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest

from slicewire.common.model import ClaimUID
from slicewire.node_prep.core.cdi import file_name as our_file_name
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.predecessor import claim_of, devices_in, file_name, left
from slicewire.node_prep.core.record import encode

UID = ClaimUID("dab5c1e2-6c1f-4c2b-8a51-3f6f2c1d9e77")
CDI_FILE = f"""---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  env:
  - NVIDIA_VISIBLE_DEVICES=void
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: {UID}-gpu-0
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
  name: "{UID}-gpu-1-mig-1g10gb-19-3"
kind: k8s.gpu.nvidia.com/claim
""".encode()
GIVEN = {"Requests": ["gpu"], "PoolName": "node-a", "DeviceName": "gpu-0", "CDIDeviceIDs": ["x"]}
PREPARED = [{"devices": [{"gpu": {"info": {"uuid": "GPU-1"}, "device": GIVEN}}], "configState": {}}]


def a_checkpoint(**v2: object) -> bytes:
    v1 = {"preparedClaims": {UID: {"status": {}, "preparedDevices": PREPARED}}}
    return json.dumps({"checksum": 1, "v1": v1, **({"v2": {"checksum": 2, **v2}} if v2 else {})}).encode()


def test_its_cdi_file_is_known_by_its_name_and_ours_is_not_taken_for_it() -> None:
    assert claim_of(file_name(UID)) == UID
    assert claim_of(our_file_name(UID)) is None
    assert claim_of(f"k8s.gpu.nvidia.com-device_{UID}.yaml") is None


def test_the_devices_of_its_cdi_file_are_those_that_bear_the_claims_uid() -> None:
    assert devices_in(UID, CDI_FILE) == ("gpu-0", "gpu-1-mig-1g10gb-19-3")
    assert devices_in(ClaimUID("another"), CDI_FILE) == ()
    assert devices_in(UID, b"\xff{") == ()


def test_its_checkpoint_says_claims_devices_and_boot() -> None:
    claims = {UID: {"checkpointState": "PrepareCompleted", "status": {}, "preparedDevices": PREPARED}}
    found = left(a_checkpoint(preparedClaims=claims, nodeBootID="b"))
    assert found is not None
    assert (dict(found.claims), found.boot) == ({UID: ("gpu-0",)}, "b")


def test_the_first_form_is_read_where_there_is_no_other_and_says_no_boot() -> None:
    found = left(a_checkpoint())
    assert found is not None
    assert (dict(found.claims), found.boot) == ({UID: ("gpu-0",)}, "")


def test_of_a_claim_that_was_only_begun_the_allocated_devices_of_this_driver_count() -> None:
    results = [
        {"request": "gpu", "driver": driver, "pool": "p", "device": device}
        for driver, device in (("gpu.nvidia.com", "gpu-3"), ("example.com", "x"))
    ]
    status = {"allocation": {"devices": {"results": results}}}
    begun = {"checkpointState": "PrepareStarted", "status": status, "preparedDevices": None}
    found = left(a_checkpoint(preparedClaims={UID: begun}, nodeBootID="b"))
    assert found is not None
    assert found.claims[UID] == ("gpu-3",)


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"checksum":1}', b'{"v1":{}}', encode(Checkpoint())], ids=str
)
def test_what_is_not_its_checkpoint_is_not_taken_for_one(data: bytes) -> None:
    assert left(data) is None
