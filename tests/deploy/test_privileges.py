"""Nobody may do more than it must."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from slicewire.publisher import watched
from slicewire.publisher.watched import Kind
from tests.deploy.manifests import DEPLOY, OVERLAYS, containers, of_kind, one, overlay

_PUBLISHER = DEPLOY.parent / "services/publisher/src/slicewire/publisher"
_ASKED: dict[str, dict[str, tuple[tuple[str, str, str], ...]]] = {
    "binding.py": {
        "patch": (
            ("resource.k8s.io", "resourceclaims", "patch"),
            ("resource.k8s.io", "resourceclaims/status", "patch"),
            ("resource.k8s.io", "resourceclaims/binding", "patch"),
            ("", "pods", "patch"),
        )
    },
    "publishing.py": {
        "create": (("resource.k8s.io", "resourceslices", "create"),),
        "replace": (("resource.k8s.io", "resourceslices", "update"),),
        "delete": (("resource.k8s.io", "resourceslices", "delete"),),
    },
    "reporting.py": {
        "apply": (
            ("resource.k8s.io", "resourceclaims/status", "patch"),
            ("resource.k8s.io", "resourceclaims/driver", "arbitrary-node:patch"),
        ),
        "create": (),  # classes, where the component mig-classes asks for them
    },
    "events.py": {
        "create": (("events.k8s.io", "events", "create"),),
        "get": (("events.k8s.io", "events", "get"),),
        "patch": (("events.k8s.io", "events", "patch"),),
    },
    "election.py": {
        "create": (("coordination.k8s.io", "leases", "create"),),
        "get": (("coordination.k8s.io", "leases", "get"),),
        "replace": (("coordination.k8s.io", "leases", "update"),),
    },
}
"""What each module asks of the door to Kubernetes, by method, and the right that it takes."""
_FOLLOWED = (
    ("", "nodes"),
    ("", "pods"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "deviceclasses"),
    ("resource.k8s.io", "resourceslices"),
    ("resource.k8s.io", "devicetaintrules"),
)
"""The kinds of watched.py."""
Right = tuple[str, str, str]


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> tuple[dict[str, Any], ...]:
    return overlay(request.param)


def calls(module: str) -> set[str]:
    """Methods of the door that a module calls."""
    tree = ast.parse((_PUBLISHER / module).read_text())
    doors = {"create", "replace", "patch", "apply", "delete", "get"}
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in doors
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "_api"
    }


def rights(rules: list[dict[str, Any]]) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


def test_the_table_has_every_call_that_the_publisher_makes() -> None:
    found = {path.name: calls(path.name) for path in _PUBLISHER.glob("*.py")}
    assert {module: methods for module, methods in found.items() if methods} == {
        module: set(methods) for module, methods in _ASKED.items()
    }


def test_the_table_has_every_kind_that_the_publisher_follows() -> None:
    kinds: tuple[Kind[Any], ...] = (
        watched.NODES,
        watched.PODS,
        *watched.CLAIMS,
        *watched.CLASSES,
        *watched.SLICES,
        *watched.TAINT_RULES,
    )
    assert len(kinds) == sum(
        len(found) if isinstance(found, tuple) else isinstance(found, Kind)
        for name, found in vars(watched).items()
        if name.isupper()
    ), "a kind is followed that the list above lacks"
    groups = {("" if kind.path.startswith("/api/") else kind.path.split("/")[2], kind.name) for kind in kinds}
    assert groups == set(_FOLLOWED)


def test_the_publisher_has_the_rights_it_uses_and_no_other(objects: tuple[dict[str, Any], ...]) -> None:
    used = {right for methods in _ASKED.values() for asked in methods.values() for right in asked}
    used |= {(group, kind, verb) for group, kind in _FOLLOWED for verb in ("list", "watch")}
    roles = (*of_kind(objects, "ClusterRole"), *of_kind(objects, "Role"))
    given = {right for role in roles for right in rights(role["rules"])}
    assert given == used


def test_leases_and_the_state_of_devices_are_given_by_name(objects: tuple[dict[str, Any], ...]) -> None:
    cluster = one(objects, "ClusterRole", "slicewire-publisher")["rules"]
    assert [rule["resourceNames"] for rule in cluster if "resourceclaims/driver" in rule["resources"]] == [
        ["gpu.nvidia.com"]
    ]
    own = one(objects, "Role", "slicewire-publisher")["rules"]
    assert all(
        rule.get("resourceNames") == ["slicewire-publisher"] for rule in own if rule["verbs"] != ["create"]
    )


def test_one_account_is_bound_to_anything(objects: tuple[dict[str, Any], ...]) -> None:
    bindings = (*of_kind(objects, "ClusterRoleBinding"), *of_kind(objects, "RoleBinding"))
    subjects = {(who["namespace"], who["name"]) for each in bindings for who in each["subjects"]}
    assert subjects == {("slicewire-system", "slicewire-publisher")}


def test_only_the_publisher_has_a_token(objects: tuple[dict[str, Any], ...]) -> None:
    with_token = {each.workload for each in containers(objects) if each.pod["automountServiceAccountToken"]}
    assert with_token == {"slicewire-publisher"}
    assert not any(each["automountServiceAccountToken"] for each in of_kind(objects, "ServiceAccount"))


def test_only_node_prep_is_privileged(objects: tuple[dict[str, Any], ...]) -> None:
    privileged = {each.workload for each in containers(objects) if each.security.get("privileged")}
    assert privileged == {"slicewire-node-prep"}
    near = {each.workload for each in containers(objects) if each.pod.get("hostPID")}
    assert near <= {"slicewire-node-prep"}
    assert not any(each.pod.get(name) for each in containers(objects) for name in ("hostNetwork", "hostIPC"))


def test_everybody_else_can_get_no_right_that_it_has_not(objects: tuple[dict[str, Any], ...]) -> None:
    for container in containers(objects):
        security = container.security
        assert security["readOnlyRootFilesystem"] is True, container.label
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, container.label
        if not security.get("privileged"):
            assert security["allowPrivilegeEscalation"] is False, container.label
            assert security["capabilities"] == {"drop": ["ALL"]}, container.label


def test_only_the_agents_of_a_node_are_user_0(objects: tuple[dict[str, Any], ...]) -> None:
    root = {each.workload for each in containers(objects) if not each.security.get("runAsNonRoot")}
    assert root == {"slicewire-discovery", "slicewire-node-prep"}


def test_what_touches_a_node_lives_apart_from_what_decides(objects: tuple[dict[str, Any], ...]) -> None:
    on_nodes = {each.workload for each in containers(objects) if each.namespace == "slicewire-nodes"}
    assert on_nodes == {"slicewire-discovery", "slicewire-node-prep"}
    level = "pod-security.kubernetes.io/enforce"
    assert one(objects, "Namespace", "slicewire-system")["metadata"]["labels"][level] == "restricted"
    hosts = {
        each.namespace
        for each in containers(objects)
        if any("hostPath" in v for v in each.pod.get("volumes", ()))
    }
    assert hosts == {"slicewire-nodes"}


def test_memory_is_asked_for_and_bounded(objects: tuple[dict[str, Any], ...]) -> None:
    for container in containers(objects):
        assert container.spec["resources"]["limits"]["memory"], container.label
        assert container.spec["resources"]["requests"].keys() == {"cpu", "memory"}, container.label


def test_every_workload_is_behind_a_policy_that_lets_nothing_through(
    objects: tuple[dict[str, Any], ...],
) -> None:
    closed = {
        each["metadata"]["namespace"]
        for each in of_kind(objects, "NetworkPolicy")
        if each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
    assert closed == {each.namespace for each in containers(objects)}


def test_every_admission_policy_is_in_force_and_fails_closed(objects: tuple[dict[str, Any], ...]) -> None:
    policies = {
        each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "ValidatingAdmissionPolicy")
    }
    bound = {each["spec"]["policyName"] for each in of_kind(objects, "ValidatingAdmissionPolicyBinding")}
    assert bound == set(policies) == {"slicewire-slices", "slicewire-claims", "slicewire-gates"}
    assert {spec["failurePolicy"] for spec in policies.values()} == {"Fail"}
