"""An overlay as `kubectl apply -k` would send it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.cluster.places import Cache

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = tuple(sorted(path.parent.name for path in DEPLOY.glob("k8s/overlays/*/kustomization.yaml")))
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORKLOADS = {"DaemonSet", "Deployment", "StatefulSet"}


class Container(NamedTuple):
    """With the pod and the workload it is in."""

    spec: dict[str, Any]
    pod: dict[str, Any]
    workload: str
    namespace: str

    @property
    def label(self) -> str:
        return f"{self.workload}/{self.spec['name']}"

    @property
    def environ(self) -> dict[str, Any]:
        return {each["name"]: each for each in self.spec.get("env", ())}

    @property
    def security(self) -> dict[str, Any]:
        """The container's own, over the pod's."""
        own: dict[str, Any] = self.spec.get("securityContext", {})
        pods: dict[str, Any] = self.pod.get("securityContext", {})
        return pods | own


def kubectl() -> str:
    """Of the cluster that tests build, or of the machine."""
    built = Cache().binaries / "kubectl"
    found = str(built) if os.access(built, os.X_OK) else shutil.which("kubectl")
    if found is None:
        pytest.skip(f"no kubectl: none in PATH, and {built} is not built; `make cluster` builds it")
    return found


@functools.cache
def built(folder: str) -> tuple[dict[str, Any], ...]:
    """Every object of a folder of deploy/k8s."""
    command = [kubectl(), "kustomize", str(DEPLOY / "k8s" / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, _LOADER))


def overlay(name: str) -> tuple[dict[str, Any], ...]:
    return built(f"overlays/{name}")


def of_kind(objects: tuple[dict[str, Any], ...], kind: str) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]


def one(objects: tuple[dict[str, Any], ...], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found


def containers(objects: tuple[dict[str, Any], ...]) -> Iterator[Container]:
    """Of every workload, its init containers too."""
    for each in objects:
        if each["kind"] in _WORKLOADS:
            pod, meta = each["spec"]["template"]["spec"], each["metadata"]
            for spec in (*pod.get("initContainers", ()), *pod["containers"]):
                yield Container(spec, pod, meta["name"], meta["namespace"])
