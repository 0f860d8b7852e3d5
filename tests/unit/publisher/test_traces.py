"""Whose trace a telling of the publisher's is, however often a claim is told."""

from __future__ import annotations

from slicewire.common.bus.port import Heard
from slicewire.common.messages import CLAIMS, NODES, ClaimAnswered, ClaimObserved, ClaimRef
from slicewire.common.model import (
    ClaimUID,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimConsumerReference,
    ResourceClaimStatus,
    TraceParent,
)
from slicewire.common.model.meta import OwnerReference
from slicewire.publisher import traces
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.keys import FactKey

FIRST = TraceParent(f"00-{'a' * 32}-{'b' * 16}-01")
LATER = TraceParent(f"00-{'a' * 32}-{'d' * 16}-01")
KEY = FactKey(CLAIMS.kind, "u-1")
POD = OwnerReference(api_version="v1", kind="Pod", name="trainer-1", uid="pod-1")
CLAIM = ResourceClaim(
    metadata=ObjectMeta(
        name="gpu", namespace="default", uid="u-1", resource_version="1", owner_references=(POD,)
    )
)
TOLD = ClaimObserved(claim=CLAIM)


def cluster() -> Cluster:
    made = Cluster()
    made.waiting.claims[ClaimUID("u-1")] = CLAIM
    return made


def test_the_first_telling_begins_a_trace_that_knows_the_pod() -> None:
    assert traces.Begun().of(KEY, cluster()) == {"baggage": "slicewire.pod_uid=pod-1"}


def test_a_claim_told_again_before_it_is_answered_stays_in_the_trace_of_the_first_telling() -> None:
    begun = traces.Begun()
    begun.keep(KEY, TOLD, FIRST)
    begun.keep(KEY, TOLD, LATER)
    assert begun.of(KEY, cluster())["traceparent"] == FIRST


def test_once_it_is_answered_what_is_told_comes_of_the_answer() -> None:
    begun, known = traces.Begun(), cluster()
    begun.keep(KEY, TOLD, FIRST)
    known.answers[ClaimUID("u-1")] = (
        ClaimAnswered(claim=ClaimRef(uid=ClaimUID("u-1"))),
        {"traceparent": LATER},
    )
    assert begun.of(KEY, known)["traceparent"] == LATER


def test_a_claim_that_is_gone_and_one_that_nobody_traces_are_not_remembered() -> None:
    begun = traces.Begun()
    begun.keep(KEY, TOLD, TraceParent(""))
    assert "traceparent" not in begun.of(KEY, cluster())
    begun.keep(KEY, TOLD, FIRST)
    begun.keep(KEY, None, LATER)
    assert "traceparent" not in begun.of(KEY, cluster())


def test_other_facts_are_traces_of_their_own() -> None:
    begun, node = traces.Begun(), FactKey(NODES.kind, "node-a")
    begun.keep(node, TOLD, FIRST)
    assert begun.of(node, cluster()) == {}


def test_a_publisher_that_comes_later_goes_on_in_the_trace_that_the_stream_has() -> None:
    begun = traces.Begun()
    begun.hear(Heard(CLAIMS, ("u-1",), TOLD, 7, {"traceparent": FIRST}))
    assert begun.of(KEY, cluster())["traceparent"] == FIRST
    begun.hear(Heard(CLAIMS, ("u-1",), None, 8, {"traceparent": LATER}))
    assert "traceparent" not in begun.of(KEY, cluster())


def test_what_it_has_told_itself_outlives_its_echo() -> None:
    begun = traces.Begun()
    begun.keep(KEY, TOLD, FIRST)
    begun.hear(Heard(CLAIMS, ("u-1",), TOLD, 9, {"traceparent": LATER}))
    begun.hear(Heard(NODES, ("u-1",), None, 10, {}))
    assert begun.of(KEY, cluster())["traceparent"] == FIRST


def test_the_pods_of_a_claim_are_its_own_and_those_that_have_reserved_it_once_each() -> None:
    others = [("pods", "pod-1"), ("jobs", "job-1"), *(("pods", f"pod-{n}") for n in range(2, 40))]
    reserved = tuple(ResourceClaimConsumerReference(kind, uid, uid) for kind, uid in others)
    status = ResourceClaimStatus(reserved_for=reserved)
    shared = ResourceClaim(metadata=CLAIM.metadata, status=status)
    assert traces.pods_of(shared, cluster()) == tuple(f"pod-{n}" for n in range(1, 9))
    assert traces.pods_of(ResourceClaim(metadata=ObjectMeta(uid="u-2")), cluster()) == ()
