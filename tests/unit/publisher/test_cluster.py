"""What the publisher knows, and which keys a change gives reason to look at."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    NODES,
    TAINT_RULES,
    ClaimObserved,
    ClassObserved,
    PoolObserved,
    TaintRuleObserved,
)
from slicewire.common.model import (
    ClaimUID,
    DeviceClass,
    DeviceTaint,
    DeviceTaintRule,
    DeviceTaintRuleSpec,
    ObjectMeta,
    ResourceClaim,
)
from slicewire.publisher import watched
from slicewire.publisher.cluster import Cluster, is_from_kubernetes
from slicewire.publisher.core.pods import Pod
from slicewire.publisher.core.slices import desired_slices
from slicewire.publisher.keys import ClassKey, FactKey, PodKey, PoolKey, TurnKey
from tests.unit.publisher.seeing import a_claim, a_node, a_pod, an_allocation, answer, hear, meta, see
from tests.unit.publisher.storing import DRIVER, NODE, POOL, a_pool, edited

CLASS_KEYS = [ClassKey(name) for name in ("gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com")]
POOL_KEY = PoolKey(NODE, DRIVER)
POD_KEY = PodKey("default", "pod")
CLAIM_KEY = FactKey(CLAIMS.kind, "uid-claim")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def without_gate(pod: Pod) -> Pod:
    """The next version of the pod."""
    return a_pod(*(entry.resource_claim_name for entry in pod.spec.resource_claims), gates=())


def test_a_pool_is_looked_at_when_it_is_told_and_when_its_node_changes(cluster: Cluster) -> None:
    pool = PoolObserved(node=NODE, driver=DRIVER, pool=POOL, generation=1)
    assert hear(cluster, INVENTORY, pool) == [*CLASS_KEYS, POOL_KEY]
    assert see(cluster, a_node("node-a")) == [FactKey(NODES.kind, "node-a"), POOL_KEY]
    assert see(cluster, a_node("node-b")) == [FactKey(NODES.kind, "node-b")]
    assert hear(cluster, INVENTORY, None, NODE, DRIVER) == [FactKey(NODES.kind, "node-a"), POOL_KEY]
    assert cluster.pools == {}


def test_slices_are_kept_by_pool_and_an_older_version_is_old_news(cluster: Cluster) -> None:
    (wanted,) = desired_slices(a_pool())
    new, old = (edited(wanted, {"name": "a", "uid": "u", "resource_version": text}) for text in ("10", "9"))
    assert see(cluster, new, old) == [POOL_KEY, POOL_KEY]
    assert cluster.slices(POOL_KEY) == (new,)
    assert list(cluster.gone(watched.SLICES[0], old)) == [POOL_KEY]
    assert cluster.slices(POOL_KEY) == ()


def test_an_answer_wakes_the_pod_and_all_its_claims(cluster: Cluster) -> None:
    see(cluster, a_pod("claim", "other"), a_claim(), a_claim("other"))
    keys = answer(cluster, "claim", an_allocation("gpu-0"))
    assert set(keys) == {CLAIM_KEY, POD_KEY, FactKey(CLAIMS.kind, "uid-other")}
    assert cluster.allocation(ClaimUID("uid-claim")) == an_allocation("gpu-0")
    hear(cluster, ANSWERS, None, "uid-claim")
    assert cluster.allocation(ClaimUID("uid-claim")) is None


def test_an_answer_that_comes_before_its_claim_is_kept(cluster: Cluster) -> None:
    assert answer(cluster, "claim", an_allocation("gpu-0")) == []
    assert CLAIM_KEY in see(cluster, a_claim())
    assert cluster.allocation(ClaimUID("uid-claim")) is not None


def test_a_pod_that_comes_goes_or_is_deleted_wakes_its_claims(cluster: Cluster) -> None:
    see(cluster, a_claim())
    assert see(cluster, a_pod("claim")) == [POD_KEY, CLAIM_KEY]
    assert see(cluster, a_pod("claim", deletion_timestamp="2026-11-24T10:00:00Z")) == [CLAIM_KEY]
    see(cluster, pod := a_pod("claim"))
    assert list(cluster.gone(watched.PODS, pod)) == [CLAIM_KEY]
    assert cluster.waiting.pod(POD_KEY) is None


def test_a_pod_whose_gate_we_lifted_waits_no_longer_whatever_comes_late(cluster: Cluster) -> None:
    see(cluster, gated := a_pod("claim"))
    cluster.waiting.keep_pod(without_gate(gated))
    assert cluster.waiting.pod(POD_KEY) is None
    see(cluster, gated)
    assert cluster.waiting.pod(POD_KEY) is None


def test_that_a_gate_was_lifted_wakes_the_claims_once_it_is_seen(cluster: Cluster) -> None:
    see(cluster, a_claim(), gated := a_pod("claim"))
    lifted = without_gate(gated)
    cluster.waiting.keep_pod(lifted)
    assert see(cluster, lifted) == [CLAIM_KEY]


def test_a_pod_made_anew_waits_again(cluster: Cluster) -> None:
    see(cluster, gated := a_pod("claim"))
    cluster.waiting.keep_pod(without_gate(gated))
    see(cluster, a_pod("claim", uid="another"))
    assert cluster.waiting.pod(POD_KEY) is not None


def test_our_own_write_counts_at_once_and_an_older_event_does_not(cluster: Cluster) -> None:
    before, after, later = a_claim(), a_claim("claim", an_allocation("gpu-0")), a_claim()
    see(cluster, before)
    cluster.waiting.keep_claim(after)
    see(cluster, before)
    assert cluster.claims[after.uid] == after
    see(cluster, later)
    assert cluster.claims[after.uid] == later


def test_a_claim_that_is_gone_is_not_kept_by_a_late_answer_to_our_write(cluster: Cluster) -> None:
    see(cluster, claim := a_claim())
    assert list(cluster.gone(watched.CLAIMS[0], claim)) == [CLAIM_KEY]
    cluster.waiting.keep_claim(a_claim())
    assert cluster.claims == {}


def test_a_claim_made_anew_takes_the_place_of_the_old_one(cluster: Cluster) -> None:
    see(cluster, a_claim(), pod := a_pod("claim"))
    keys = see(cluster, a_claim("claim", uid="uid-new"))
    assert {CLAIM_KEY, FactKey(CLAIMS.kind, "uid-new"), POD_KEY} <= set(keys)
    found = cluster.waiting.claims_of(pod)
    assert found is not None
    assert [claim.uid for claim in found] == ["uid-new"]


def test_what_a_list_does_not_show_is_gone(cluster: Cluster) -> None:
    see(cluster, a_claim("left"), a_claim("right"), a_node("node-a"), a_pod("left"))
    keys = list(cluster.listed(watched.CLAIMS[0], [a_claim("right")]))
    assert set(keys) == {FactKey(CLAIMS.kind, "uid-left"), FactKey(CLAIMS.kind, "uid-right"), POD_KEY}
    assert list(cluster.claims) == ["uid-right"]
    assert list(cluster.listed(watched.NODES, [])) == [FactKey(NODES.kind, "node-a")]
    assert list(cluster.listed(watched.PODS, [])) == []
    assert cluster.waiting.pod(POD_KEY) is None


def test_a_class_is_looked_at_when_it_comes_and_goes(cluster: Cluster) -> None:
    found = DeviceClass(metadata=meta("gpu"))
    assert see(cluster, found) == [FactKey(CLASSES.kind, "gpu")]
    assert list(cluster.gone(watched.CLASSES[0], found)) == [FactKey(CLASSES.kind, "gpu")]
    assert cluster.classes == {}


def a_rule(metadata: ObjectMeta) -> DeviceTaintRule:
    return DeviceTaintRule(
        metadata=metadata, spec=DeviceTaintRuleSpec(taint=DeviceTaint(key="fans", effect="None"))
    )


def test_a_taint_rule_is_looked_at_when_it_comes_goes_or_is_no_longer_served(cluster: Cluster) -> None:
    key, (newest, *others) = FactKey(TAINT_RULES.kind, "fans"), watched.TAINT_RULES
    found = a_rule(meta("fans"))
    assert see(cluster, found) == [key]
    assert key in set(cluster.every_key())
    assert list(cluster.gone(others[0], found)) == [key]
    see(cluster, found)
    assert list(cluster.listed(newest, [])) == [key]
    assert cluster.taint_rules == {}


def test_a_taint_rule_that_came_over_the_bus_is_not_from_kubernetes() -> None:
    assert is_from_kubernetes(TaintRuleObserved(rule=a_rule(meta("fans"))))
    assert not is_from_kubernetes(TaintRuleObserved(rule=a_rule(ObjectMeta(name="fans"))))


def test_what_was_told_is_known_by_its_latest_word(cluster: Cluster) -> None:
    key = FactKey(CLASSES.kind, "gpu")
    fact = ClassObserved(device_class=DeviceClass(metadata=meta("gpu")))
    assert hear(cluster, CLASSES, fact, sequence=5) == [key]
    hear(cluster, CLASSES, None, "gpu", sequence=4)
    assert cluster.told == {key: fact}
    hear(cluster, CLASSES, None, "gpu", sequence=6)
    assert cluster.told == {}


def test_a_first_look_leaves_out_nothing_on_either_side(cluster: Cluster) -> None:
    hear(cluster, INVENTORY, PoolObserved(node=NODE, driver=DRIVER, pool=POOL, generation=1))
    hear(cluster, CLASSES, ClassObserved(device_class=DeviceClass(metadata=meta("vanished"))))
    see(cluster, a_node("node-a"), DeviceClass(metadata=meta("gpu")), a_claim(), a_pod("claim"))
    assert set(cluster.every_key()) == {
        POOL_KEY,
        FactKey(CLASSES.kind, "vanished"),
        FactKey(NODES.kind, "node-a"),
        FactKey(CLASSES.kind, "gpu"),
        CLAIM_KEY,
        POD_KEY,
        *CLASS_KEYS,
        TurnKey(),
    }


def test_a_claim_without_a_creation_time_came_over_the_bus() -> None:
    over_bus = ClaimObserved(claim=ResourceClaim(metadata=ObjectMeta(name="mine", uid="uid-mine")))
    shown = msgspec.structs.replace(over_bus, claim=a_claim())
    assert (is_from_kubernetes(over_bus), is_from_kubernetes(shown)) == (False, True)
    assert is_from_kubernetes(ClassObserved(device_class=DeviceClass(metadata=meta("gpu"))))
