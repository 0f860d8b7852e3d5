"""deploy/k8s as docs/install.md has it: installed, used, upgraded and removed on a real Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import installing
from tests.cluster.installing import KIND, NEXT, PARTS_OF, VERSION, ready
from tests.cluster.kubectl import Kubectl, example
from tests.cluster.places import NODE, Cache, CannotRun, Home
from tests.cluster.polling import comes_true

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
_SELECTED = ("-l", "app.kubernetes.io/part-of=slicewire")


@pytest.fixture(scope="module")
def prepared(home: Home, kubectl: Kubectl) -> Iterator[None]:
    """A cluster without a trace of Slicewire, and its images on the node."""
    installing.removed(kubectl)
    try:
        with ready(Cache(), home):
            yield
    except CannotRun as reason:
        pytest.skip(f"nothing to install: {reason}")
    finally:
        installing.classes_of_the_examples(kubectl)


@pytest.fixture(scope="module")
def installed(prepared: None, kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "-k", KIND)
    installing.await_rolled_out(kubectl)
    yield
    installing.removed(kubectl)


@pytest.fixture
def trainers(installed: None, kubectl: Kubectl) -> Iterator[None]:
    """Two pods of an example, which are gone afterwards."""
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    yield
    kubectl("delete", "pods,resourceclaims,resourceclaimtemplates", "--all", "--timeout=60s")


def gpus_in(kubectl: Kubectl, pod: str) -> list[str]:
    names = kubectl("exec", pod, "--", "ls", "/dev").split()
    return sorted(name for name in names if name.removeprefix("nvidia").isdigit())


def containers_of(kubectl: Kubectl, *pods: str) -> list[tuple[str, int]]:
    """What tells a container that went on running from one that was started again."""
    found = (kubectl.get("pod", pod)["status"]["containerStatuses"][0] for pod in pods)
    return [(each["containerID"], each["restartCount"]) for each in found]


def allocations(kubectl: Kubectl) -> dict[str, Any]:
    claims = kubectl.get("resourceclaims")["items"]
    return {each["metadata"]["uid"]: each["status"].get("allocation") for each in claims}


@pytest.mark.usefixtures("installed")
def test_every_part_runs_from_its_image_and_did_so_at_once(kubectl: Kubectl) -> None:
    running = {}
    for pod in installing.pods(kubectl):
        (status,) = pod["status"]["containerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 0), pod["metadata"]["name"]
        running[status["name"]] = status["image"].partition("slicewire/")[2]
    assert running == {part: f"{part}:{VERSION}" for part in PARTS_OF}


@pytest.mark.usefixtures("installed")
def test_the_node_offers_eight_gpus_and_the_classes_are_there(kubectl: Kubectl) -> None:
    (pool,) = kubectl.get("resourceslices")["items"]
    assert pool["spec"]["nodeName"] == NODE
    assert len(pool["spec"]["devices"]) == 8
    classes = {each["metadata"]["name"] for each in kubectl.get("deviceclasses")["items"]}
    assert classes == {"gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com"}


@pytest.mark.usefixtures("installed")
def test_the_kernel_holds_every_part_to_what_the_manifests_say(kubectl: Kubectl) -> None:
    users = {}
    for pod in installing.pods(kubectl):
        meta, part = pod["metadata"], pod["spec"]["containers"][0]["name"]
        inside = ("exec", "-n", meta["namespace"], meta["name"], "--")
        is_ = dict(line.split(":\t", 1) for line in kubectl(*inside, "cat", "/proc/1/status").splitlines())
        users[part] = int(is_["Uid"].split()[0])
        assert kubectl.tried(*inside, "touch", "/here").returncode != 0, f"{part} writes to its root"
        has_token = kubectl.tried(*inside, "ls", "/var/run/secrets/kubernetes.io").returncode == 0
        assert has_token == (part == "publisher")
        if part != "node-prep":  # the one that is privileged
            assert (is_["CapEff"], is_["NoNewPrivs"], is_["Seccomp"]) == ("0" * 16, "1", "2"), part
    nobody = dict.fromkeys(("nats", "allocator", "publisher"), 65532)
    assert users == {**nobody, "discovery": 0, "node-prep": 0}


@pytest.mark.usefixtures("trainers")
def test_the_pods_of_an_example_have_their_gpus(kubectl: Kubectl, home: Home) -> None:
    first, second = (gpus_in(kubectl, pod) for pod in ("trainer-1", "trainer-2"))
    assert (len(first), len(second)) == (1, 1)
    assert first != second
    for pod in ("trainer-1", "trainer-2"):
        assert "NVIDIA_VISIBLE_DEVICES=void" in kubectl("exec", pod, "--", "env")
    assert len(list(home.cdi.iterdir())) == 2


@pytest.mark.usefixtures("trainers")
def test_an_upgrade_touches_no_pod_and_forgets_no_claim(kubectl: Kubectl, tmp_path: Path) -> None:
    """The bus of this overlay starts from nothing, too: what was given is learned from the claims."""
    pods, given = containers_of(kubectl, "trainer-1", "trainer-2"), allocations(kubectl)
    kubectl("apply", "-k", str(installing.upgrade(tmp_path)))
    installing.await_rolled_out(kubectl)
    images = {each["spec"]["containers"][0]["image"] for each in installing.pods(kubectl)}
    assert {image.rpartition(":")[2] for image in images} == {NEXT}
    assert containers_of(kubectl, "trainer-1", "trainer-2") == pods
    assert allocations(kubectl) == given
    later = example("one-gpu-two-containers")
    kubectl.apply(later)
    kubectl.await_pods("server-and-sidecar")
    taken = {*gpus_in(kubectl, "trainer-1"), *gpus_in(kubectl, "trainer-2")}
    assert not taken & {*gpus_in(kubectl, "server-and-sidecar")}


@pytest.mark.usefixtures("installed")
def test_removed_by_one_command_it_leaves_what_the_docs_say(kubectl: Kubectl, home: Home) -> None:
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    kubectl("delete", "pods", "--all", "--timeout=60s")
    kubectl("delete", "-k", KIND)
    kinds = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    left = kubectl("get", ",".join(kinds), "-A", *_SELECTED, "-o", "name", "--ignore-not-found")
    assert left == ""
    namespaces = {each["metadata"]["name"] for each in kubectl.get("namespaces")["items"]}
    assert not {name for name in namespaces if name.startswith("slicewire")}
    kubectl("wait", "--for=delete", "resourceslices", "--all", "--timeout=90s")
    for claim in kubectl.get("resourceclaims")["items"]:
        assert not claim["metadata"].get("finalizers"), "a claim that nobody can delete"
    assert comes_true(lambda: not [*home.registry.iterdir(), *home.cdi.iterdir()], 10)
    assert not list(home.plugins.rglob("*.sock"))
