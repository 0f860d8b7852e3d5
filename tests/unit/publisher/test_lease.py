"""Who may take a lease, when, and what is then written into it."""

from __future__ import annotations

import pytest

from slicewire.common.model import ObjectMeta
from slicewire.publisher.core.lease import (
    Candidate,
    Create,
    Lease,
    LeaseSpec,
    Take,
    Wait,
    held,
    margin_seconds,
    next_step,
    pace_seconds,
    resigned,
)

ME = Candidate("me", 15)
META = ObjectMeta(name="lease", namespace="ns")


def of(holder: str, seconds: int = 10, transitions: int = 3) -> Lease:
    spec = LeaseSpec(
        holder_identity=holder,
        lease_duration_seconds=seconds,
        acquire_time="then",
        renew_time="then",
        lease_transitions=transitions,
    )
    return Lease(metadata=ObjectMeta(name="lease", resource_version="7"), spec=spec)


def test_a_lease_that_is_not_there_is_created() -> None:
    assert next_step(None, ME, 0) == Create()
    assert held(Create(), None, ME, "now", META) == Lease(
        metadata=META,
        spec=LeaseSpec(holder_identity="me", lease_duration_seconds=15, acquire_time="now", renew_time="now"),
    )


@pytest.mark.parametrize(
    ("unchanged", "step"), [(0.0, Wait("other")), (9.9, Wait("other")), (10.0, Take()), (99.0, Take())]
)
def test_anothers_lease_is_waited_out_by_its_own_duration(unchanged: float, step: object) -> None:
    assert next_step(of("other"), ME, unchanged) == step


def test_a_lease_without_a_duration_is_waited_out_by_ours() -> None:
    assert next_step(of("other", seconds=0), ME, 14.9) == Wait("other")
    assert next_step(of("other", seconds=0), ME, 15) == Take()


@pytest.mark.parametrize("holder", ["", "me"])
def test_a_lease_of_nobody_or_ours_is_taken_at_once(holder: str) -> None:
    assert next_step(of(holder), ME, 0) == Take()


def test_taking_over_counts_a_transition_and_keeps_the_version_it_was_decided_on() -> None:
    taken = held(Take(), of("other"), ME, "now", META)
    assert (taken.spec.lease_transitions, taken.spec.acquire_time, taken.spec.renew_time) == (4, "now", "now")
    assert taken.spec.holder_identity == "me"
    assert taken.metadata.resource_version == "7"


def test_renewing_changes_the_time_alone() -> None:
    renewed = held(Take(), of("me", seconds=15), ME, "now", META)
    assert (renewed.spec.lease_transitions, renewed.spec.acquire_time) == (3, "then")
    assert renewed.spec.renew_time == "now"


def test_only_the_holder_resigns() -> None:
    assert resigned(of("other"), ME) is None
    left = resigned(of("me"), ME)
    assert left is not None
    assert next_step(left, Candidate("next", 15), 0) == Take()


@pytest.mark.parametrize("seconds", [1, 3, 15, 60])
def test_writing_ends_before_another_may_take_over_and_a_renewal_may_fail_twice(seconds: int) -> None:
    candidate = Candidate("me", seconds)
    assert margin_seconds(candidate) < seconds
    assert 3 * pace_seconds(candidate) <= margin_seconds(candidate)
