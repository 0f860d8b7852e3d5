"""How paths and query strings are read, and what of them is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubeapi.kinds import CLAIMS, KINDS, NAMESPACES, PODS, SLICES
from tests.kubeapi.parameters import read_page, read_selection, read_watching, read_write
from tests.kubeapi.statuses import Refused
from tests.kubeapi.targets import Target, read_path

RESOURCES = "/apis/resource.k8s.io/v1"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{RESOURCES}/resourceslices", Target(SLICES)),
        (f"{RESOURCES}/resourceslices/s/", Target(SLICES, name="s")),
        (f"{RESOURCES}/resourceclaims", Target(CLAIMS)),
        (f"{RESOURCES}/namespaces/ns/resourceclaims/c/status", Target(CLAIMS, "ns", "c", "status")),
        ("/api/v1/namespaces/ns/pods/p/binding", Target(PODS, "ns", "p", "binding")),
        ("/api/v1/namespaces/ns", Target(NAMESPACES, name="ns")),
        ("/api/v1/namespaces/ns/status", Target(NAMESPACES, name="ns", subresource="status")),
        ("/api/v1/namespaces/ns/finalize", Target(NAMESPACES, name="ns", subresource="finalize")),
    ],
)
def test_a_path_says_what_a_request_is_about(path: str, target: Target) -> None:
    assert read_path(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1/gadgets",
        "/apis/resource.k8s.io/v9/resourceslices",
        f"{RESOURCES}/resourceclaims/c",
        f"{RESOURCES}/namespaces/ns/resourceslices",
        f"{RESOURCES}/resourceslices/s/status",
        f"{RESOURCES}/namespaces/ns/resourceclaims/c/status/more",
    ],
)
def test_a_path_that_leads_nowhere_is_not_found(path: str) -> None:
    with pytest.raises(Refused) as refused:
        read_path(path)
    assert (refused.value.code, refused.value.reason) == (404, "NotFound")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_kind_is_found_under_its_path(kind: Any) -> None:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    namespace = "/namespaces/ns" if kind.namespaced else ""
    assert read_path(f"{root}{namespace}/{kind.plural}/x") == Target(kind, namespace[12:], "x")


@pytest.mark.parametrize(
    ("read", "query"),
    [
        (read_page, {"limit": "many"}),
        (read_page, {"resourceVersion": "-1"}),
        (lambda query: read_write(query, ""), {"dryRun": "Some"}),
        (lambda query: read_selection(Target(SLICES), query), {"labelSelector": "a in x"}),
        (lambda query: read_selection(Target(SLICES), query), {"fieldSelector": "spec.driver"}),
        (lambda query: read_selection(Target(SLICES), query), {"fieldSelector": "metadata.namespace=a"}),
    ],
)
def test_a_query_that_cannot_be_read_is_a_bad_request(read: Any, query: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        read(query)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Newest", "resourceVersion": "1"},
    ],
)
def test_a_version_match_without_its_version_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        read_page(query)
    assert [cause.field for cause in refused.value.causes] == ["resourceVersionMatch"]


def test_the_writer_is_known_by_its_manager_or_else_by_its_agent() -> None:
    assert read_write({"fieldManager": "me"}, "curl/8").manager == "me"
    assert read_write({}, "curl/8 (linux)").manager == "curl"
    assert read_write({}, "").manager == "unknown"


def test_a_watch_of_one_object_selects_it_by_name() -> None:
    watching = read_watching(Target(SLICES, name="s"), {"watch": "true", "timeoutSeconds": "5"})
    assert watching.timeout_seconds == 5
    assert watching.selection.admits({"metadata": {"name": "s"}})
    assert not watching.selection.admits({"metadata": {"name": "t"}})
