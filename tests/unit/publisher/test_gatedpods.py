"""Pods found by claim and gang: as if all had been looked through, but at the cost of the few found."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.messages import CLAIMS as CLAIM_FACTS
from slicewire.common.messages import ClaimObserved
from slicewire.common.model import ObjectMeta
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.gangs import GangKey, gang_of
from slicewire.publisher.core.pods import Pod, PodResourceClaim, PodSpec, claim_names
from slicewire.publisher.facts import fact_of
from slicewire.publisher.gatedpods import GatedPods, pod_key
from slicewire.publisher.keys import FactKey
from tests.unit.publisher.seeing import a_claim, see
from tests.unit.publisher.seeing import a_pod as a_gated_pod

NAMESPACES, NAMES, CLAIMS, GANGS = ("a", "b"), ("p", "q", "r"), ("x", "y", "z"), ("", "g", "h")


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    gang = draw(st.sampled_from(GANGS))
    claims = draw(st.lists(st.sampled_from(CLAIMS), max_size=3))
    made = draw(st.booleans())  # else one of its claims has yet to be made, and it uses none for now
    late = () if made else (PodResourceClaim(name="late", resource_claim_template_name="t"),)
    entries = tuple(PodResourceClaim(name=name, resource_claim_name=name) for name in claims)
    meta = ObjectMeta(
        name=draw(st.sampled_from(NAMES)),
        namespace=draw(st.sampled_from(NAMESPACES)),
        creation_timestamp=draw(st.sampled_from(("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))),
        labels={"slicewire.dev/gang": gang} if gang else {},
    )
    return Pod(metadata=meta, spec=PodSpec(resource_claims=(*entries, *late)))


@given(st.lists(st.tuples(st.booleans(), pods())))
def test_whatever_comes_and_goes_the_found_are_those_that_a_look_at_all_would_find(
    changes: list[tuple[bool, Pod]],
) -> None:
    found, all_of_them = GatedPods(), dict[object, Pod]()
    for comes, pod in changes:
        if comes:
            found.put(pod)
            all_of_them[pod_key(pod)] = pod
        else:
            assert found.pop(pod_key(pod)) == all_of_them.pop(pod_key(pod), None)
    assert {pod_key(pod): pod for pod in found.values()} == all_of_them
    assert set(found) == set(all_of_them)
    for namespace in NAMESPACES:
        for claim in CLAIMS:
            users = [
                pod
                for pod in all_of_them.values()
                if pod.metadata.namespace == namespace and claim in (claim_names(pod) or ())
            ]
            by_age = sorted(users, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))
            assert list(found.using(namespace, claim)) == by_age
        for name in GANGS[1:]:
            gang = GangKey(namespace, name)
            members = {pod_key(pod) for pod in all_of_them.values() if gang_of(pod) == gang}
            assert set(map(pod_key, found.of_gang(gang))) == members
            assert (gang in found.gangs()) == bool(members)


def test_what_is_told_of_a_claim_costs_the_same_among_few_pods_and_among_thousands() -> None:
    few, many = (calls_for_one_claim(number) for number in (10, 2000))
    assert few == many


def calls_for_one_claim(pods: int) -> int:
    """How many functions are called to find what is told of one claim, where so many pods wait."""
    cluster = Cluster()
    for number in range(pods):
        see(cluster, a_claim(f"claim-{number}"), a_gated_pod(f"claim-{number}", name=f"pod-{number}"))
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        fact = fact_of(FactKey(CLAIM_FACTS.kind, "uid-claim-7"), cluster)
    finally:
        sys.setprofile(None)
    assert isinstance(fact, ClaimObserved)
    assert fact.together == ("uid-claim-7",)
    return calls
