"""What the publisher asks of Kubernetes, counted by verb, resource and answer."""

from __future__ import annotations

import pytest

from slicewire.publisher import metrics
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, NotLeading
from slicewire.publisher.worklist import Again

DEVICES = "/apis/resource.k8s.io/v1"


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (f"{DEVICES}/resourceslices", "resourceslices"),
        (f"{DEVICES}/resourceslices/slice-1", "resourceslices"),
        (f"{DEVICES}/namespaces/default/resourceclaims/train/status", "resourceclaims"),
        ("/api/v1/pods", "pods"),
        ("/api/v1/namespaces/default/pods/pod-1", "pods"),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/slicewire-publisher", "leases"),
        ("/api/v1/nodes/resourceclaims", "nodes"),
        ("/version", "discovery"),
        (DEVICES, "discovery"),
        ("/apis", "discovery"),
    ],
)
def test_of_a_path_the_resource_is_counted_and_no_name(path: str, resource: str) -> None:
    assert metrics.resource_of(path) == resource


def counted(verb: str, resource: str, code: str) -> float:
    return metrics.REQUESTS.value(verb, resource, code)


@pytest.mark.parametrize(
    ("method", "query", "verb"),
    [
        ("GET", None, "get"),
        ("GET", {"limit": "500"}, "get"),
        ("GET", {"watch": "true"}, "watch"),
        ("POST", None, "create"),
        ("PUT", None, "update"),
        ("PATCH", {"force": "true"}, "patch"),
        ("DELETE", None, "delete"),
    ],
)
def test_a_request_is_counted_by_its_verb(method: str, query: dict[str, str] | None, verb: str) -> None:
    before, took = counted(verb, "nodes", "200"), metrics.REQUEST_SECONDS.count(verb)
    with metrics.requesting(method, "/api/v1/nodes", query) as answered:
        answered(200)
    assert counted(verb, "nodes", "200") == before + 1
    assert metrics.REQUEST_SECONDS.count(verb) == took + 1


def test_a_request_without_an_answer_is_counted_too() -> None:
    before = counted("get", "nodes", "none")
    with pytest.raises(TimeoutError), metrics.requesting("GET", "/api/v1/nodes/node-1", None):
        raise TimeoutError
    assert counted("get", "nodes", "none") == before + 1


def test_resources_nobody_knows_are_one() -> None:
    before = counted("get", "other", "404")
    for number in range(3):
        with metrics.requesting("GET", f"/apis/example.com/v1/things-{number}", None) as answered:
            answered(404)
    assert counted("get", "other", "404") == before + 3


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ApiConflict("409"), "outrun"),
        (ApiNotFound("404"), "outrun"),
        (ApiUnavailable("503"), "unanswered"),
        (NotLeading("another leads"), "notLeading"),
        (ApiRejected("422"), "rejected"),
        (ZeroDivisionError("a bug"), "other"),
    ],
)
def test_a_look_is_counted_by_how_it_ends(error: Exception, result: str) -> None:
    before = metrics.LOOKS.value(result)
    with pytest.raises(type(error)), metrics.looking():
        raise error
    assert metrics.LOOKS.value(result) == before + 1


def test_a_look_that_is_to_come_again_by_itself_is_done() -> None:
    before = metrics.LOOKS.value("done")
    with pytest.raises(Again), metrics.looking():
        raise Again(30.0)
    with metrics.looking():
        pass
    assert metrics.LOOKS.value("done") == before + 2
