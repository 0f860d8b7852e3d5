"""What is told of Kubernetes: all that others decide by, and nothing that only moves."""

from __future__ import annotations

import pytest

from slicewire.common.messages import (
    ALLOCATION_LABEL,
    CLAIMS,
    CLASSES,
    INVENTORY,
    KUBE_SCHEDULER,
    NODES,
    SLICEWIRE,
    ClaimObserved,
    ClassObserved,
    NodeObserved,
    PoolObserved,
)
from slicewire.common.model import (
    POD_CLAIM_NAME,
    AllocationResult,
    ClaimUID,
    DeviceClass,
    DeviceClassSpec,
    DriverName,
)
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.attendance import Attendance
from slicewire.publisher.facts import (
    claim_fact,
    class_fact,
    fact_of,
    is_ours,
    node_fact,
    silent_drivers,
    to_be_written,
)
from slicewire.publisher.keys import FactKey
from tests.unit.publisher.seeing import a_claim, a_node, a_pod, an_allocation, answer, hear, meta, see
from tests.unit.publisher.storing import DRIVER, NODE, POOL

GIVEN = an_allocation("gpu-0")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def answering(driver: str) -> PoolObserved:
    return PoolObserved(node=NODE, driver=DriverName(driver), pool=POOL, generation=1, answers=True)


def told(cluster: Cluster, name: str = "claim") -> ClaimObserved:
    return claim_fact(cluster.claims[ClaimUID(f"uid-{name}")], cluster)


@pytest.mark.parametrize(
    ("labels", "mode"),
    [
        ({}, KUBE_SCHEDULER),
        ({ALLOCATION_LABEL: "slicewire"}, SLICEWIRE),
        ({ALLOCATION_LABEL: "kube-scheduler"}, KUBE_SCHEDULER),
        ({ALLOCATION_LABEL: "Slicewire"}, KUBE_SCHEDULER),
        ({ALLOCATION_LABEL: ""}, KUBE_SCHEDULER),
    ],
)
def test_the_label_of_a_node_says_who_allocates(labels: dict[str, str], mode: str) -> None:
    node = a_node("node-a", **labels)
    assert node_fact(node) == NodeObserved(
        name=node.metadata.name,  # type: ignore[arg-type]  # a node's name is a NodeName
        uid="uid-node-a",
        labels=labels,
        allocation=mode,
    )


def test_a_node_is_told_with_the_drivers_whose_agents_do_not_answer(cluster: Cluster) -> None:
    see(cluster, a_node(NODE))
    for name in ("b.example.com", "a.example.com", "there.example.com"):
        hear(cluster, INVENTORY, answering(name))
    keys = {key.driver: key for key in cluster.answering()}
    gone = frozenset(key for name, key in keys.items() if name != "there.example.com")
    cluster.attendance = Attendance(present=frozenset(keys.values()) - gone, silent=gone)
    assert silent_drivers(NODE, cluster) == ("a.example.com", "b.example.com")


@pytest.mark.parametrize("silent", [(), (DRIVER,)])
def test_what_was_told_of_an_agent_holds_until_it_has_been_heard(
    cluster: Cluster, silent: tuple[DriverName, ...]
) -> None:
    see(cluster, a_node(NODE))
    hear(cluster, INVENTORY, answering(DRIVER))
    hear(cluster, NODES, NodeObserved(name=NODE, uid="u", silent=silent))
    cluster.attendance = Attendance()
    assert silent_drivers(NODE, cluster) == silent
    (key,) = cluster.answering()
    assert cluster.hear_from(key) == (key, FactKey(NODES.kind, NODE))
    assert silent_drivers(NODE, cluster) == ()
    assert cluster.hear_from(key) == (), "it was there already"


def test_where_nobody_asks_the_agents_none_is_told_silent(cluster: Cluster) -> None:
    see(cluster, a_node(NODE))
    hear(cluster, INVENTORY, answering(DRIVER))
    hear(cluster, NODES, NodeObserved(name=NODE, uid="u", silent=(DRIVER,)))
    assert silent_drivers(NODE, cluster) == ()


def test_a_new_version_with_other_annotations_is_the_same_fact(cluster: Cluster) -> None:
    assert node_fact(a_node()) == node_fact(a_node())
    spec = DeviceClassSpec(extended_resource_name="example.com/gpu")
    classes = [DeviceClass(metadata=meta("gpu", annotations={"seen": beat}), spec=spec) for beat in "12"]
    assert class_fact(classes[0]) == class_fact(classes[1])
    assert class_fact(classes[0]).device_class.spec == spec
    claims = [a_claim(annotations={"seen": beat}, finalizers=(beat,)) for beat in "12"]
    assert claim_fact(claims[0], cluster) == claim_fact(claims[1], cluster)


def test_what_the_pod_calls_a_claim_from_a_template_is_told_and_no_other_annotation(cluster: Cluster) -> None:
    made = a_claim(annotations={POD_CLAIM_NAME: "gpu", "seen": "1"})
    assert claim_fact(made, cluster).claim.pod_claim_name == "gpu"
    assert dict(claim_fact(made, cluster).claim.metadata.annotations) == {POD_CLAIM_NAME: "gpu"}
    assert claim_fact(a_claim(), cluster).claim.pod_claim_name == ""


def test_there_is_no_fact_of_what_kubernetes_does_not_have(cluster: Cluster) -> None:
    for kind in (NODES.kind, CLASSES.kind, CLAIMS.kind):
        assert fact_of(FactKey(kind, "nobody"), cluster) is None


def test_each_kind_of_fact_is_found_under_its_key(cluster: Cluster) -> None:
    see(cluster, a_node(), DeviceClass(metadata=meta("gpu")), a_claim())
    assert isinstance(fact_of(FactKey(NODES.kind, "node-a"), cluster), NodeObserved)
    assert isinstance(fact_of(FactKey(CLASSES.kind, "gpu"), cluster), ClassObserved)
    assert isinstance(fact_of(FactKey(CLAIMS.kind, "uid-claim"), cluster), ClaimObserved)


def test_a_claim_that_no_gated_pod_uses_is_kube_schedulers(cluster: Cluster) -> None:
    see(cluster, a_claim(), a_pod("claim", gates=()))
    assert (told(cluster).decided_by, told(cluster).together) == (KUBE_SCHEDULER, ())


def test_the_claims_of_a_gated_pod_are_decided_together_by_slicewire(cluster: Cluster) -> None:
    see(cluster, a_pod("left", "right"), a_claim("left"), a_claim("right"))
    for name in ("left", "right"):
        fact = told(cluster, name)
        assert (fact.decided_by, fact.together) == (SLICEWIRE, ("uid-left", "uid-right"))


def test_while_a_claim_of_the_pod_is_missing_nothing_is_decided(cluster: Cluster) -> None:
    see(cluster, a_pod("left", "right"), a_claim("left"))
    assert told(cluster, "left").decided_by == KUBE_SCHEDULER


def test_a_shared_claim_is_decided_with_the_claims_of_all_pods_that_wait_for_it(cluster: Cluster) -> None:
    see(cluster, a_claim("shared"), a_claim("a"), a_claim("b"))
    see(cluster, a_pod("shared", "b", name="younger-b"), a_pod("shared", "a", name="younger-a"))
    assert set(told(cluster, "shared").together) == {"uid-shared", "uid-a", "uid-b"}
    assert told(cluster, "a").together == told(cluster, "b").together


@pytest.mark.parametrize(
    ("shown", "given", "ours"),
    [
        (GIVEN, GIVEN, True),
        (GIVEN, None, False),
        (GIVEN, an_allocation("gpu-1"), False),
        (None, GIVEN, False),
        (None, None, False),
    ],
)
def test_ours_is_what_shows_the_devices_that_the_allocator_gave(
    cluster: Cluster, shown: AllocationResult | None, given: AllocationResult | None, ours: bool
) -> None:
    see(cluster, a_claim("claim", shown))
    answer(cluster, "claim", given)
    assert is_ours(cluster.claims[ClaimUID("uid-claim")], cluster) is ours
    assert told(cluster).decided_by == (SLICEWIRE if ours else KUBE_SCHEDULER)


def test_only_an_answer_to_the_claim_as_it_was_told_last_may_be_written(cluster: Cluster) -> None:
    see(cluster, a_pod("claim"), a_claim())
    claim = cluster.claims[ClaimUID("uid-claim")]
    answer(cluster, "claim", GIVEN, claim_sequence=7)
    assert to_be_written(claim, cluster) is None, "nothing was told yet"
    hear(cluster, CLAIMS, told(cluster), sequence=7)
    assert to_be_written(claim, cluster) == GIVEN
    hear(cluster, CLAIMS, told(cluster), sequence=9)
    assert to_be_written(claim, cluster) is None, "the answer is to an older fact"
    answer(cluster, "claim", GIVEN, claim_sequence=9)
    see(cluster, a_claim("other"), a_pod("claim", "other"))
    assert to_be_written(claim, cluster) is None, "the fact of now is not told yet"
