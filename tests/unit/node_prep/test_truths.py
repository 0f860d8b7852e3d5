"""What is true against what has been told."""

from __future__ import annotations

from slicewire.common.messages import ClaimPrepared
from slicewire.common.model import ClaimUID
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.hearing import Told
from slicewire.node_prep.telling import Refused, Truth, reference, truths, untold
from tests.unit.node_prep.builders import NODE, TRACE, a_claim, prepared, reserved

UID = ClaimUID("claim-1")
STARTED = reserved(0)
REFUSED = {UID: Refused(a_claim(), "no such device", TRACE)}
ERROR = ClaimPrepared(node=NODE, claim=reference(a_claim()), error="no such device")


def test_a_prepared_claim_is_told_with_its_ids_and_its_trace() -> None:
    [truth] = truths(NODE, prepared(STARTED), {})
    assert truth.trace == TRACE
    assert truth.fact is not None
    assert truth.fact.devices[0].cdi_device_ids == ("k8s.gpu.nvidia.com/claim=claim-1-gpu-0",)


def test_a_claim_that_is_only_reserved_is_not_told() -> None:
    assert truths(NODE, STARTED, {}) == ()


def test_a_claim_of_which_something_is_missing_is_not_told() -> None:
    """A reboot took it, and it could not be made again yet."""
    assert truths(NODE, STARTED.with_prepared(UID), {}) == ()


def test_an_error_is_told_unless_the_claim_is_prepared() -> None:
    assert truths(NODE, Checkpoint(), REFUSED) == (Truth(UID, ERROR, TRACE),)
    [truth] = truths(NODE, prepared(STARTED), REFUSED)
    assert truth.fact is not None
    assert truth.fact.error == ""


def test_only_the_difference_is_told() -> None:
    truth = Truth(UID, ERROR, TRACE)
    assert list(untold((truth,), {})) == [truth]
    assert list(untold((truth,), {UID: Told(1, None)})) == [truth]
    assert list(untold((truth,), {UID: Told(1, ERROR)})) == []


def test_what_is_no_longer_true_is_forgotten_once() -> None:
    assert list(untold((), {UID: Told(1, ERROR)})) == [Truth(UID, None)]
    assert list(untold((), {UID: Told(1, None)})) == []
