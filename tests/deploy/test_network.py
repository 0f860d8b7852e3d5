"""Who may speak to whom, by the network policies of an overlay.

They are read here: whether they are enforced is up to a cluster's network.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.deploy.manifests import OVERLAYS, of_kind, overlay

pytestmark = pytest.mark.slow
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
Objects = tuple[dict[str, Any], ...]


class Pod(NamedTuple):
    labels: dict[str, str]
    namespace: str


STRANGER = Pod({"app": "notebook"}, "default")
CLIENT = Pod({"slicewire.dev/bus": "client"}, "default")
NAMES = Pod({"k8s-app": "kube-dns"}, "kube-system")


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return overlay(request.param)


def pods(objects: Objects) -> dict[str, Pod]:
    """By the part."""
    found = {}
    for each in (one for kind in _WORKLOADS for one in of_kind(objects, kind)):
        labels = each["spec"]["template"]["metadata"]["labels"]
        part = labels["app.kubernetes.io/name"].removeprefix("slicewire-")
        found[part] = Pod(labels, each["metadata"]["namespace"])
    return found


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "a selector that this reading does not know"
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def of(objects: Objects, pod: Pod, direction: str) -> Iterator[dict[str, Any]]:
    """The rules that hold for a pod, one way."""
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        if policy["metadata"]["namespace"] == pod.namespace and selects(spec["podSelector"], pod.labels):
            assert direction.capitalize() in spec["policyTypes"] or direction not in spec
            yield from spec.get(direction, ())


def lets(rules: Iterator[dict[str, Any]], home: str, peer: Pod, port: int) -> bool:
    way = "from", "to"
    for rule in rules:
        peers = next((rule[each] for each in way if each in rule), None)
        ports = {each["port"] for each in rule["ports"]}
        if port in ports and (peers is None or any(is_peer(each, home, peer) for each in peers)):
            return True
    return False


def is_peer(described: dict[str, Any], home: str, peer: Pod) -> bool:
    namespaces = described.get("namespaceSelector")
    if namespaces is None:
        in_place = peer.namespace == home
    else:
        in_place = selects(namespaces, {"kubernetes.io/metadata.name": peer.namespace})
    return in_place and selects(described.get("podSelector", {}), peer.labels)


def reaches(objects: Objects, start: Pod, end: Pod, port: int) -> bool:
    """A namespace without policies is open both ways."""
    closed = {each["metadata"]["namespace"] for each in of_kind(objects, "NetworkPolicy")}
    leaves = start.namespace not in closed or lets(of(objects, start, "egress"), start.namespace, end, port)
    enters = end.namespace not in closed or lets(of(objects, end, "ingress"), end.namespace, start, port)
    return leaves and enters


def test_every_part_reaches_the_bus_and_names_and_no_other_part(objects: Objects) -> None:
    there = pods(objects)
    for part in ("discovery", "allocator", "node-prep", "publisher"):
        assert reaches(objects, there[part], there["nats"], 4222), part
        assert reaches(objects, there[part], NAMES, 53), part
        others = {name: pod for name, pod in there.items() if name not in {part, "nats"}}
        for name, pod in others.items():
            assert not reaches(objects, there[part], pod, 8080), f"{part} reaches {name}"


def test_of_everybody_else_only_who_says_so_reaches_the_bus_and_nobody_its_back(objects: Objects) -> None:
    nats = pods(objects)["nats"]
    assert reaches(objects, CLIENT, nats, 4222)
    assert not reaches(objects, STRANGER, nats, 4222)
    for pod in (STRANGER, CLIENT, *(pod for part, pod in pods(objects).items() if part != "nats")):
        assert not reaches(objects, pod, nats, 6222)
    assert reaches(objects, nats, nats, 6222)


def test_only_the_publisher_reaches_kubernetes(objects: Objects) -> None:
    api = Pod({}, "anywhere")
    able = {part for part, pod in pods(objects).items() if reaches(objects, pod, api, 6443)}
    assert able == {"publisher"}


def test_every_policy_selects_somebody(objects: Objects) -> None:
    for policy in of_kind(objects, "NetworkPolicy"):
        namespace = policy["metadata"]["namespace"]
        labels = [pod.labels for pod in pods(objects).values() if pod.namespace == namespace]
        assert any(selects(policy["spec"]["podSelector"], each) for each in labels), policy["metadata"]
