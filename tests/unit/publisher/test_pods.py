"""Pods behind the gate: what their claims need next, one step at a time, and the gate last."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.messages import ALLOCATION_LABEL
from slicewire.common.model import AllocationResult, ClaimUID, ResourceClaim
from slicewire.publisher.core.pods import (
    FINALIZER,
    AddFinalizer,
    LiftGate,
    Pod,
    PodResourceClaim,
    PodSchedulingGate,
    PodSpec,
    Step,
    WriteStatus,
    claim_names,
    is_gated,
    next_steps,
)
from tests.unit.publisher.seeing import GATE, a_claim, a_pod, an_allocation, from_templates, reserving

OTHER = PodSchedulingGate(name="example.com/quota")
GIVEN = an_allocation("gpu-0")
POD = a_pod("claim")
NEIGHBOUR = a_pod("claim", name="neighbour")
SAFE: dict[str, Any] = {"finalizers": (FINALIZER,)}


def steps(*claims: ResourceClaim, pod: Pod = POD, **answers: AllocationResult) -> tuple[Step, ...]:
    given = {ClaimUID(f"uid-{name}"): allocation for name, allocation in answers.items()}
    return next_steps(pod, claims, given, ALLOCATION_LABEL)


def test_a_claim_without_devices_lets_the_pod_wait() -> None:
    assert steps(a_claim()) == ()


def test_no_claim_is_touched_while_another_has_no_devices() -> None:
    assert steps(a_claim("left"), a_claim("right"), left=GIVEN) == ()


def test_first_the_claim_is_protected_beside_what_protects_it_already() -> None:
    claim = a_claim(finalizers=("example.com/mine",))
    assert steps(claim, claim=GIVEN) == (AddFinalizer(claim, ("example.com/mine", FINALIZER)),)


def test_then_its_allocation_and_reservation_are_written_together() -> None:
    claim = a_claim(**SAFE)
    assert steps(claim, claim=GIVEN) == (WriteStatus(claim, GIVEN, (reserving(POD),)),)


def test_who_holds_the_claim_already_keeps_it() -> None:
    claim = a_claim("claim", GIVEN, (reserving(NEIGHBOUR),), **SAFE)
    (step,) = steps(claim, claim=GIVEN)
    assert isinstance(step, WriteStatus)
    assert step.reserved_for == (reserving(NEIGHBOUR), reserving(POD))


def test_each_claim_takes_its_own_next_step() -> None:
    left, right = a_claim("left"), a_claim("right", **SAFE)
    found = steps(left, right, left=GIVEN, right=GIVEN)
    assert [type(step) for step in found] == [AddFinalizer, WriteStatus]


def test_the_gate_waits_for_the_last_claim() -> None:
    done, open_ = a_claim("left", GIVEN, (reserving(POD),), **SAFE), a_claim("right", **SAFE)
    assert [type(step) for step in steps(done, open_, left=GIVEN, right=GIVEN)] == [WriteStatus]


def test_only_our_gate_goes() -> None:
    pod = a_pod("claim", gates=(OTHER, GATE))
    claim = a_claim("claim", GIVEN, (reserving(pod),), **SAFE)
    assert steps(claim, pod=pod, claim=GIVEN) == (LiftGate(pod, (OTHER,)),)


def test_a_pod_without_claims_may_go() -> None:
    pod = a_pod()
    assert steps(pod=pod) == (LiftGate(pod, ()),)


def test_what_another_has_allocated_is_left_to_the_other() -> None:
    assert steps(a_claim("claim", an_allocation("gpu-7"))) == (LiftGate(POD, ()),)


@pytest.mark.parametrize("allocation", [None, GIVEN])
def test_a_claim_on_its_way_out_is_not_touched(allocation: AllocationResult | None) -> None:
    leaving = a_claim("claim", allocation, deletion_timestamp="2026-11-24T10:00:00Z")
    assert steps(leaving, claim=GIVEN) == ()
    assert steps(leaving) == ()


@pytest.mark.parametrize(
    ("pod", "names"),
    [
        (a_pod("claim", "other"), ("claim", "other")),
        (a_pod("claim", "claim"), ("claim",)),
        (from_templates(a_pod(), left="pod-left-x", right="pod-right-y"), ("pod-left-x", "pod-right-y")),
        (from_templates(a_pod(), left="pod-left-x", right=""), ("pod-left-x",)),
        (a_pod(), ()),
    ],
)
def test_a_pod_names_its_claims_once_each(pod: Pod, names: tuple[str, ...]) -> None:
    assert claim_names(pod) == names


def test_while_a_template_waits_for_its_claim_nobody_knows_all_names() -> None:
    entry = PodResourceClaim(name="left", resource_claim_template_name="any")
    assert claim_names(Pod(spec=PodSpec(resource_claims=(entry,)))) is None


@pytest.mark.parametrize(
    ("fields", "gated"),
    [
        ({"gates": (GATE,)}, True),
        ({"gates": (OTHER, GATE)}, True),
        ({"gates": (OTHER,)}, False),
        ({"gates": ()}, False),
        ({"deletion_timestamp": "2026-11-24T10:00:00Z"}, False),
    ],
)
def test_a_pod_waits_for_us_behind_our_gate_unless_it_is_on_its_way_out(
    fields: dict[str, Any], gated: bool
) -> None:
    assert is_gated(a_pod(**fields), ALLOCATION_LABEL) is gated
