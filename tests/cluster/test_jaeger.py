"""A pod on a real Kubernetes, as its operator sees it in a real Jaeger."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.kubectl import MANAGED, Kubectl, example, gated
from tests.cluster.slicewire import Hardware, Parts
from tests.deploy.manifests import DEPLOY
from tests.jaeger import server
from tests.jaeger.binary import CannotRun
from tests.jaeger.server import Jaeger

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
STEPS = ("tell claim", "decide", "write claim status", "lift gate", "answer kubelet", "write cdi file")


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[Jaeger]:
    try:
        with server.running(tmp_path / "jaeger.log") as running:
            yield running
    except CannotRun as reason:
        pytest.skip(f"no Jaeger: {reason}")


@pytest.fixture
def hardware(jaeger: Jaeger, monkeypatch: pytest.MonkeyPatch) -> Hardware:
    """What every part is told beside its own settings."""
    monkeypatch.setenv("SLICEWIRE_OTLP_ENDPOINT", jaeger.endpoint)
    return Hardware()


def test_a_pod_that_runs_is_one_trace_that_is_found_by_its_uid(
    jaeger: Jaeger, parts: Parts, kubectl: Kubectl
) -> None:
    kubectl(*MANAGED)
    kubectl.apply(example("one-gpu-per-pod", gated))
    kubectl.await_pods("trainer-1", "trainer-2")
    pods = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in kubectl.get("pods")["items"]}
    found = {name: jaeger.traces_of_pod("slicewire-publisher", uid) for name, uid in pods.items()}
    assert all(len(traces) == 1 for traces in found.values()), found
    assert found["trainer-1"] != found["trainer-2"]
    (trace,) = found["trainer-1"]
    spans = jaeger.trace_with(trace, STEPS)
    assert {*STEPS} <= {span.name for span in spans}
    assert [span.name for span in spans if not span.parent] == ["tell claim"]
    parts_seen = {"slicewire-publisher", "slicewire-allocator", "slicewire-node-prep"}
    assert {span.service for span in spans} == parts_seen
    assert not [span.failure for span in spans if span.failure]
    assert jaeger.services() >= parts_seen | {"slicewire-discovery"}


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> Iterator[None]:
    """What is in a namespace can be shown only where it is there."""
    wanted = ("slicewire-system", "slicewire-nodes", "slicewire-tracing")
    made = [name for name in wanted if kubectl.tried("create", "namespace", name).returncode == 0]
    yield
    for name in made:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("overlay", ["kind", "prod"])
@pytest.mark.usefixtures("namespaces")
def test_the_api_server_takes_an_overlay_with_tracing(kubectl: Kubectl, overlay: str, tmp_path: Path) -> None:
    base, component = (
        os.path.relpath(DEPLOY / "k8s" / path, tmp_path)
        for path in (f"overlays/{overlay}", "components/tracing")
    )
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
    how = ("--server-side", "--dry-run=server", "--field-manager=test", "--force-conflicts")
    done = kubectl.tried("apply", *how, "-k", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in ("deployment.apps/jaeger", "deployment.apps/otel-collector", "namespace/slicewire-tracing"):
        assert f"{name} serverside-applied" in done.stdout
