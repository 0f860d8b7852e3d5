"""What a claim holds, as Kubernetes has it."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.model import ResourceClaim, wire
from slicewire.node_prep.core.claim import held
from slicewire.node_prep.core.node import Allocation
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.unit.node_prep.builders import DRIVER, a_claim

OURS = {"request": "gpu", "driver": DRIVER, "pool": "node-a", "device": "gpu-0"}
ANOTHERS = {**OURS, "driver": "nic.example.com"}


def found(*results: dict[str, str], uid: str = "claim-1", users: tuple[dict[str, str], ...] = ()) -> Any:
    allocation = {"devices": {"results": list(results)}} if results else None
    status = {"allocation": allocation, "reservedFor": list(users)}
    return wire.convert({"metadata": {"uid": uid}, "status": status}, ResourceClaim)


def test_it_holds_our_devices_for_the_first_of_the_pods_that_have_reserved_it() -> None:
    pods = [{"resource": "pods", "name": f"p-{n}", "uid": f"pod-{n}"} for n in range(20)]
    job = {"resource": "jobs", "apiGroup": "batch", "name": "j", "uid": "job-1"}
    allocation = held(a_claim(), found(ANOTHERS, OURS, users=(job, *pods)), DRIVER)
    assert isinstance(allocation, Allocation)
    assert [result.driver for result in allocation.results] == [DRIVER]
    assert allocation.pod_uids == tuple(f"pod-{n}" for n in range(8))


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (found(OURS, uid="claim-2"), Why.REPLACED_CLAIM),
        (found(), Why.UNKNOWN_CLAIM),
        (found(ANOTHERS), Why.UNKNOWN_CLAIM),
    ],
)
def test_a_claim_that_holds_nothing_of_ours_is_refused(claim: ResourceClaim, why: Why) -> None:
    refusal = held(a_claim(), claim, DRIVER)
    assert isinstance(refusal, PrepareRefusal)
    assert refusal.why is why
