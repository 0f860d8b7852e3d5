"""The component `tracing`: everybody is told where spans go, and may go there; nobody may do more."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from slicewire.common.settings import CommonSettings, from_environ
from tests.deploy.manifests import DEPLOY, built, containers, of_kind, one
from tests.jaeger import binary
from tests.jaeger.binary import CannotRun

pytestmark = pytest.mark.slow
PARTS = {"allocator", "publisher", "discovery", "node-prep"}
BACKENDS = {"otel-collector", "jaeger"}
COMPONENT = DEPLOY / "k8s/components/tracing"


def traced(overlay: str) -> tuple[dict[str, Any], ...]:
    """An overlay with the component, as an operator would write it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = (
            os.path.relpath(DEPLOY / "k8s" / path, folder)
            for path in (f"overlays/{overlay}", "components/tracing")
        )
        base, component = paths
        (Path(folder) / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
        return built(folder)


@pytest.fixture(params=["kind", "prod"])
def objects(request: pytest.FixtureRequest) -> tuple[dict[str, Any], ...]:
    return traced(request.param)


def test_every_part_is_told_where_spans_go_and_there_is_somebody(objects: tuple[dict[str, Any], ...]) -> None:
    told = {}
    for container in containers(objects):
        given = {
            name: each["value"]
            for name, each in container.environ.items()
            if name in ("SLICEWIRE_OTLP_ENDPOINT", "SLICEWIRE_TRACE_SAMPLE")
        }
        if given:
            told[container.spec["name"]] = from_environ(CommonSettings, "CLIENT", given)
    assert told.keys() == PARTS
    assert {each.trace_sample for each in told.values()} == {1.0}
    (endpoint,) = {each.otlp_endpoint for each in told.values()}
    host, _, port = endpoint.removeprefix("http://").partition(":")
    name, namespace, _ = host.split(".")
    service = one(objects, "Service", name)
    assert service["metadata"]["namespace"] == namespace
    assert [each["port"] for each in service["spec"]["ports"]] == [int(port)]


def test_the_backends_run_as_a_restricted_namespace_demands(objects: tuple[dict[str, Any], ...]) -> None:
    labels = one(objects, "Namespace", "slicewire-tracing")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    found = {each.spec["name"]: each for each in containers(objects) if each.namespace == "slicewire-tracing"}
    assert found.keys() == BACKENDS
    for each in found.values():
        assert each.security["runAsNonRoot"] is True
        assert each.security["readOnlyRootFilesystem"] is True
        assert each.security["allowPrivilegeEscalation"] is False
        assert each.security["capabilities"] == {"drop": ["ALL"]}
        assert each.security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert each.pod["automountServiceAccountToken"] is False
        assert not [volume for volume in each.pod["volumes"] if "hostPath" in volume]


def test_parts_may_reach_the_collector_and_only_the_collector_jaeger(
    objects: tuple[dict[str, Any], ...],
) -> None:
    policies = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each["spec"]
        for each in of_kind(objects, "NetworkPolicy")
    }
    for namespace in ("slicewire-system", "slicewire-nodes"):
        (out,) = policies[namespace, "traces"]["egress"]
        assert out["ports"] == [{"port": 4318}]
        assert out["to"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "otel-collector"}
    (into,) = policies["slicewire-tracing", "collector"]["ingress"]
    assert into["ports"] == [{"port": 4318}]
    (into,) = policies["slicewire-tracing", "jaeger"]["ingress"]
    assert into["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "otel-collector"}}}]
    assert policies["slicewire-tracing", "nothing"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_ports_of_services_configurations_and_probes_are_the_same(
    objects: tuple[dict[str, Any], ...],
) -> None:
    for container in containers(objects):
        if container.spec["name"] in BACKENDS:
            (name,) = [volume["configMap"]["name"] for volume in container.pod["volumes"]]
            config = one(objects, "ConfigMap", name)["data"]["config.yaml"]
            for port in container.spec["ports"]:
                assert f":{port['containerPort']}" in config, (container.label, port)


def test_jaeger_is_the_version_that_is_tested_with(objects: tuple[dict[str, Any], ...]) -> None:
    (found,) = [each for each in containers(objects) if each.spec["name"] == "jaeger"]
    assert found.spec["image"] == f"jaegertracing/jaeger:{binary.VERSION}"


@pytest.mark.parametrize("name", ["jaeger-config.yaml", "collector-config.yaml"])
def test_a_real_jaeger_takes_the_configuration(name: str) -> None:
    """It is a collector itself, with what the other one needs."""
    try:
        program = binary.ready()
    except CannotRun as reason:
        pytest.skip(str(reason))
    command = [str(program), "validate", "--config", str(COMPONENT / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((COMPONENT / name).read_text())["service"]["pipelines"].keys() == {"traces"}
