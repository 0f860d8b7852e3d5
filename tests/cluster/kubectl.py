"""kubectl, as a user has it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.images import BUSYBOX, WAIT
from tests.cluster.places import NODE, Cache, Home

SECONDS = 90
EXAMPLES = Path(__file__).parents[2] / "examples"
GATE = {"name": "slicewire.dev/allocation"}
MANAGED = ("label", "node", NODE, "slicewire.dev/allocation=slicewire")
"""What gives the node to Slicewire to allocate."""


class Kubectl:
    def __init__(self, cache: Cache, home: Home) -> None:
        self._command = [str(cache.binaries / "kubectl"), "--kubeconfig", str(home.kubeconfig)]

    def __call__(self, *arguments: str, given: str = "") -> str:
        done = self.tried(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def tried(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS + 30,
        )

    def get(self, *arguments: str) -> Any:
        return json.loads(self("get", *arguments, "-o", "json"))

    def apply(self, documents: list[dict[str, Any]]) -> None:
        self("apply", "-f", "-", given=yaml.safe_dump_all(documents))

    def await_pods(self, *pods: str) -> None:
        """Until all are ready. What the node and the scheduler say of them is in the failure."""
        names = [f"pod/{pod}" for pod in pods]
        done = self.tried("wait", "--for=condition=Ready", *names, f"--timeout={SECONDS}s")
        assert done.returncode == 0, f"{done.stderr}\n{self('describe', 'pods')}"

    def await_unschedulable(self, pod: str) -> None:
        """Until kube-scheduler has tried and found no room."""
        reason = "{.status.conditions[?(@.type=='PodScheduled')].reason}"
        self("wait", f"--for=jsonpath={reason}=Unschedulable", f"pod/{pod}", f"--timeout={SECONDS}s")

    def await_gone(self, *resources: str) -> None:
        self("wait", "--for=delete", *resources, f"--timeout={SECONDS}s")


def as_it_is(pod: dict[str, Any]) -> None:
    """No change of an example."""


def example(name: str, change: Callable[[dict[str, Any]], None] = as_it_is) -> list[dict[str, Any]]:
    """The documents of an example, its pods with an image that is here and a command that waits."""
    documents = list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))
    for document in documents:
        if document["kind"] == "Pod":
            _at_home(document)
            change(document)
    return documents


def gated(pod: dict[str, Any]) -> None:
    pod["spec"]["schedulingGates"] = [GATE]


def pods_of(documents: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in documents if each["kind"] == "Pod"]


def _at_home(pod: dict[str, Any]) -> None:
    for container in pod["spec"]["containers"]:
        container |= {"image": BUSYBOX, "imagePullPolicy": "Never", "command": list(WAIT)}
