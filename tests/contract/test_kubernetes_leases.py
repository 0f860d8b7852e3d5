"""What an election relies on: a lease is created once, and changed only from the version that was seen.

Held against the small API by default, against a real cluster where KUBECONFIG names one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slicewire.common.model import ObjectMeta, wire
from slicewire.publisher.core.lease import Candidate, Create, Lease, Take, held, next_step, resigned
from tests.kubeapi.cluster import Cluster, a_cluster

ONE, TWO = Candidate("one", 15), Candidate("two", 15)
NOW = "2026-01-01T00:00:00.000001Z"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as started:
        yield started


def leases(cluster: Cluster) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{cluster.prefix}/leases"


def new(cluster: Cluster, candidate: Candidate = ONE) -> dict[str, Any]:
    meta = ObjectMeta(name="publisher", namespace=cluster.prefix)
    return wire.document(held(Create(), None, candidate, NOW, meta))


def taken(lease: Lease, candidate: Candidate) -> dict[str, Any]:
    return wire.document(held(Take(), lease, candidate, NOW, ObjectMeta()))


async def read(cluster: Cluster) -> Lease:
    return wire.convert((await cluster.ask("GET", f"{leases(cluster)}/publisher")).body, Lease)


async def test_a_lease_is_created_by_one_alone(cluster: Cluster) -> None:
    assert (await cluster.ask("GET", f"{leases(cluster)}/publisher")).code == 404
    await cluster.create(leases(cluster), new(cluster))
    assert (await cluster.ask("POST", leases(cluster), new(cluster, TWO))).code == 409
    lease = await read(cluster)
    assert (lease.spec.holder_identity, lease.spec.renew_time) == ("one", NOW)


async def test_of_two_who_saw_the_same_lease_one_gets_it(cluster: Cluster) -> None:
    await cluster.create(leases(cluster), new(cluster))
    seen = await read(cluster)
    path = f"{leases(cluster)}/publisher"
    assert (await cluster.ask("PUT", path, taken(seen, TWO))).code == 200
    assert (await cluster.ask("PUT", path, taken(seen, ONE))).code == 409
    lease = await read(cluster)
    assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("two", 1)


async def test_a_renewal_is_a_new_version_and_no_transition(cluster: Cluster) -> None:
    await cluster.create(leases(cluster), new(cluster))
    seen = await read(cluster)
    later = wire.document(held(Take(), seen, ONE, "2026-01-01T00:00:01.000000Z", ObjectMeta()))
    assert (await cluster.ask("PUT", f"{leases(cluster)}/publisher", later)).code == 200
    lease = await read(cluster)
    assert lease.metadata.resource_version != seen.metadata.resource_version
    assert lease.spec.lease_transitions == 0


async def test_a_lease_may_be_left_without_a_holder(cluster: Cluster) -> None:
    await cluster.create(leases(cluster), new(cluster))
    left = resigned(await read(cluster), ONE)
    assert left is not None
    answer = await cluster.ask("PUT", f"{leases(cluster)}/publisher", wire.document(left))
    assert answer.code == 200, answer.body
    assert next_step(await read(cluster), TWO, 0) == Take()
