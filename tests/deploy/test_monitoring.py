"""Prometheus finds every part that the manifests run, and may reach it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, OVERLAYS, built, containers, of_kind, one

pytestmark = pytest.mark.slow
Objects = tuple[dict[str, Any], ...]
PARTS = {"slicewire-discovery", "slicewire-allocator", "slicewire-node-prep", "slicewire-publisher"}
_WORKLOADS = ("DaemonSet", "Deployment")


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """An overlay of somebody's own, with monitoring."""
    folders = {
        name: os.path.relpath(DEPLOY / "k8s" / name, tmp_path) for name in (_of(request), "components")
    }
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [folders[_of(request)]],
        "components": [f"{folders['components']}/monitoring"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return built(os.path.relpath(tmp_path, DEPLOY / "k8s"))


def _of(request: pytest.FixtureRequest) -> str:
    return f"overlays/{request.param}"


def templates(objects: Objects) -> dict[str, dict[str, Any]]:
    """Pods of our parts, by name."""
    found = [each for kind in _WORKLOADS for each in of_kind(objects, kind)]
    return {each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: each for each in found}


def test_every_part_is_looked_at_where_it_answers(objects: Objects) -> None:
    monitor = one(objects, "PodMonitor", "slicewire")["spec"]
    (wanted,) = monitor["selector"]["matchExpressions"]
    assert set(wanted["values"]) == PARTS <= templates(objects).keys()
    assert monitor["jobLabel"] == wanted["key"] == "app.kubernetes.io/name"
    (endpoint,) = monitor["podMetricsEndpoints"]
    for name in PARTS:
        workload = templates(objects)[name]
        assert workload["metadata"]["namespace"] in monitor["namespaceSelector"]["matchNames"]
        spec = workload["spec"]["template"]["spec"]
        ports = [port["name"] for each in spec["containers"] for port in each.get("ports", ())]
        assert endpoint["port"] in ports
    assert endpoint["path"] == "/metrics"


def test_prometheus_may_reach_every_part_and_nothing_else_is_opened(objects: Objects) -> None:
    policies = {
        each["metadata"]["namespace"]: each["spec"]
        for each in of_kind(objects, "NetworkPolicy")
        if each["metadata"]["name"] == "metrics"
    }
    health = {
        each.environ["SLICEWIRE_HEALTH_PORT"]["value"] for each in containers(objects) if _is_part(each.label)
    }
    for name in PARTS:
        workload = templates(objects)[name]
        policy = policies[workload["metadata"]["namespace"]]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    for policy in policies.values():
        (rule,) = policy["ingress"]
        assert policy["policyTypes"] == ["Ingress"]
        assert {str(port["port"]) for port in rule["ports"]} == health
        (peer,) = rule["from"]
        assert peer["namespaceSelector"]["matchLabels"] == {"slicewire.dev/monitoring": "true"}
        assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}


def _is_part(label: str) -> bool:
    workload, container = label.split("/")
    return workload in PARTS and workload == f"slicewire-{container}"


def test_the_dashboard_is_where_grafana_looks(objects: Objects) -> None:
    found = one(objects, "ConfigMap", "slicewire-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    document = json.loads(found["data"]["slicewire.json"])
    numbers = [panel["id"] for panel in document["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in document["panels"]]
    assert len(set(places)) == len(places), "no panel lies on another"


def test_without_the_component_there_is_nothing_that_needs_an_operator() -> None:
    for name in OVERLAYS:
        kinds = {each["kind"] for each in built(f"overlays/{name}")}
        assert not kinds & {"PodMonitor", "PrometheusRule"}
