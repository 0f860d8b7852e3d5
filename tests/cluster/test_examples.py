"""Each example as its reader would run it, on a real scheduler, kubelet and container runtime."""

from __future__ import annotations

import pytest

from tests.cluster.daemons import wait
from tests.cluster.kubectl import Kubectl, example, pods_of
from tests.cluster.places import Home
from tests.cluster.slicewire import GPUS, Parts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def nodes_in(kubectl: Kubectl, pod: str, container: str = "") -> list[str]:
    """The GPUs' device nodes in a container."""
    of = ("-c", container) if container else ()
    names = kubectl("exec", pod, *of, "--", "ls", "/dev").split()
    return sorted(name for name in names if name.removeprefix("nvidia").isdigit())


@pytest.mark.parametrize(
    ("name", "gpus"),
    [
        ("one-gpu-per-pod", 1),
        ("one-gpu-two-containers", 1),
        ("two-pods-one-claim", 1),
        ("two-gpus-same-pcie-root", 2),
        ("big-gpu", 1),
        ("all-gpus-of-a-node", GPUS),
    ],
)
def test_the_pods_of_an_example_run_and_see_their_gpus(
    parts: Parts, kubectl: Kubectl, name: str, gpus: int
) -> None:
    documents = example(name)
    kubectl.apply(documents)
    kubectl.await_pods(*pods_of(documents))
    for pod in pods_of(documents):
        assert len(nodes_in(kubectl, pod)) == gpus


def test_two_pods_never_see_the_same_gpu_unless_they_share_a_claim(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.apply(example("two-pods-one-claim"))
    kubectl.await_pods("trainer-1", "trainer-2", "notebook", "profiler")
    seen = {pod: nodes_in(kubectl, pod) for pod in ("trainer-1", "trainer-2", "notebook", "profiler")}
    assert seen["notebook"] == seen["profiler"]
    assert len({*seen["trainer-1"], *seen["trainer-2"], *seen["notebook"]}) == 3


def test_a_container_sees_the_environment_and_mounts_of_its_cdi_file(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply(example("one-gpu-two-containers"))
    kubectl.await_pods("server-and-sidecar")
    for container in ("server", "sidecar"):
        inside = ("exec", "server-and-sidecar", "-c", container, "--")
        assert "NVIDIA_VISIBLE_DEVICES=void" in kubectl(*inside, "env")
        assert "libcuda.so.1" in kubectl(*inside, "ls", "/usr/lib/x86_64-linux-gnu")


def test_nothing_is_left_when_the_pods_are_gone(parts: Parts, kubectl: Kubectl, home: Home) -> None:
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    assert list(home.cdi.iterdir())
    kubectl("delete", "pods", "--all")
    kubectl.await_gone("resourceclaims", "--all")
    wait("every CDI file is gone", lambda: not list(home.cdi.iterdir()), parts.daemons["node-prep"])
