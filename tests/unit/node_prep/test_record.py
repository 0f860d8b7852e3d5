"""The checkpoint as a file: what is written is what is read, and damage costs as little as can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import ClaimUID, DeviceName, Quantity
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.config import GpuConfig, GpuSharing, MpsConfig
from slicewire.node_prep.core.entry import Asker, Progress, Stage
from slicewire.node_prep.core.hardware import Partition, PlannedDevice, Share
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.record import Corrupt, Recalled, decode, encode, encode_changes
from slicewire.node_prep.core.steps import CreateGpuInstance, Step
from tests.unit.node_prep.builders import POOL, TRACE, a_claim, prepared, reserved, uuid_of

ONE, TWO = ClaimUID("claim-1"), ClaimUID("claim-2")
FIRST = reserved(0, uid=ONE, on=Checkpoint(boot="b"))


def written(checkpoint: Checkpoint) -> dict[str, Any]:
    document = json.loads(encode(checkpoint))
    assert isinstance(document, dict)
    return document


def test_everything_that_a_plan_can_hold_comes_back() -> None:
    device = PlannedDevice(
        device=DeviceName("gpu-0-mig-1g10gb-19-0"),
        pool=POOL,
        request_names=("part",),
        hardware=Partition(gpu=uuid_of(0), profile_id=19, start=0),
        config=GpuConfig(
            sharing=GpuSharing(
                strategy="MPS", mps_config=MpsConfig(default_pinned_device_memory_limit=Quantity("4Gi"))
            )
        ),
        share=Share(id="share", memory=Quantity("1Gi")),
    )
    step: Step = CreateGpuInstance(gpu=uuid_of(0), profile_id=19, start=0)
    plan = PreparePlan(claim=a_claim(), devices=(device,), steps=(step,))
    done = Progress(stage=Stage.DONE, notes={"gpuInstance": "7"})
    checkpoint = Checkpoint(boot="b").with_reserved(plan, Asker.BUS, TRACE).with_progress(ONE, 0, done)
    assert decode(encode(checkpoint)) == Recalled(checkpoint, {})


def test_a_checkpoint_of_the_version_without_steps_is_understood() -> None:
    """All that version did was to write the CDI file."""
    device = {
        "device": "gpu-0",
        "pool": "node-a",
        "requestNames": ["gpu"],
        "hardware": {"kind": "gpu", "minor": 0, "uuid": "GPU-0"},
    }
    plan = {"claim": {"uid": "claim-1"}, "devices": [device]}
    entry = {"state": "PrepareCompleted", "plan": plan, "askedBy": "kubelet"}
    found = decode(json.dumps({"version": 1, "claims": {"claim-1": entry}}).encode())
    assert isinstance(found, Recalled)
    [only] = found.checkpoint.entries.values()
    assert [(step.what, progress.stage) for step, progress in only.steps()] == [
        ("write the CDI file of claim claim-1", Stage.DONE)
    ]


@given(st.lists(st.sampled_from([ONE, TWO]), unique=True), st.booleans())
def test_what_is_written_is_what_is_read(uids: list[ClaimUID], done: bool) -> None:
    checkpoint = Checkpoint()
    for minor, uid in enumerate(uids):
        checkpoint = reserved(minor, uid=uid, on=checkpoint)
        checkpoint = prepared(checkpoint, uid) if done else checkpoint
    assert decode(encode(checkpoint)) == Recalled(checkpoint, {})


def test_equal_checkpoints_are_equal_bytes() -> None:
    one_two = reserved(1, uid=TWO, on=reserved(0, uid=ONE))
    two_one = reserved(0, uid=ONE, on=reserved(1, uid=TWO))
    assert encode(one_two) == encode(two_one)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    document = written(reserved(0))
    document["later"] = "x"
    document["claims"][ONE]["later"] = {"a": [1]}
    document["claims"][ONE]["plan"]["devices"][0]["hardware"]["later"] = True
    assert decode(json.dumps(document).encode()) == Recalled(reserved(0), {})


def test_an_entry_that_cannot_be_read_costs_only_itself() -> None:
    document = written(reserved(1, uid=TWO, on=reserved(0)))
    document["claims"][TWO]["plan"]["devices"][0]["hardware"]["kind"] = "dpu"
    found = decode(json.dumps(document).encode())
    assert isinstance(found, Recalled)
    assert found.checkpoint == reserved(0)
    assert "dpu" in found.unreadable[TWO]


def test_an_entry_under_the_wrong_uid_is_not_believed() -> None:
    document = written(reserved(0))
    document["claims"][TWO] = document["claims"].pop(ONE)
    found = decode(json.dumps(document).encode())
    assert found == Recalled(Checkpoint(), {TWO: "plan.claim.uid: claim-1 stands under claim-2"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Input data was truncated"),
        (b'{"version": 1, "claims": {"claim-1"', "truncated"),
        (b"\x00\x00\x00\x00", "invalid"),
        (b'{"claims": {}}', "version"),
        (b'{"version": 3, "claims": {}}', "version: 3 is not 2"),
        (b'[{"version": 1}]', "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_checkpoint_is_corrupt_with_the_reason(data: bytes, said: str) -> None:
    found = decode(data)
    assert isinstance(found, Corrupt)
    assert said in found.reason


def test_a_checkpoint_and_what_has_changed_since_are_the_checkpoint_after() -> None:
    before = reserved(1, uid=TWO, on=FIRST)
    after = prepared(before, ONE).with_undoing(TWO).without(TWO)
    lines = b"\n".join((encode(before), encode_changes(before, after), b""))
    assert decode(lines) == Recalled(after, {})


def test_no_change_is_no_line() -> None:
    checkpoint = FIRST
    assert encode_changes(checkpoint, checkpoint) == b""


def test_a_line_has_only_the_claims_that_have_changed() -> None:
    before = FIRST
    line = json.loads(encode_changes(before, reserved(1, uid=TWO, on=before)))
    assert list(line["claims"]) == [TWO]


def test_a_line_that_cannot_be_read_costs_itself_and_those_after_it() -> None:
    first = FIRST
    second = reserved(1, uid=TWO, on=first)
    line = encode_changes(first, second)
    found = decode(b"\n".join((encode(first), b"{", line)))
    assert isinstance(found, Recalled)
    assert found.checkpoint == first
    assert found.torn.startswith("line 2: ")


def test_a_later_line_with_an_entry_that_cannot_be_read_costs_that_entry() -> None:
    first = reserved(1, uid=TWO, on=FIRST)
    found = decode(encode(first) + b'\n{"version":2,"bootID":"b","claims":{"claim-1":{"state":"Lost"}}}\n')
    assert isinstance(found, Recalled)
    assert list(found.checkpoint.entries) == [TWO]
    assert list(found.unreadable) == [ONE]
    assert found.torn == ""
