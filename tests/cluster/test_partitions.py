"""Partitions on demand: made for the pods that ask, gone with them, and the GPU is whole again."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import pod_of, template
from tests.cluster.slicewire import Hardware, Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
TEMPLATES = [template("whole", "gpu.nvidia.com"), template("small", "mig.nvidia.com", "1g.10gb")]
SMALL = [f"small-{number}" for number in range(7)]


@pytest.fixture
def hardware() -> Hardware:
    policy = """
apiVersion: slicewire.dev/v1alpha1
kind: NodePolicy
default: {offer: [gpu, mig], partitions: dynamic}
"""
    return Hardware(gpus=1, policy=policy)


def test_seven_partitions_fill_a_gpu_and_a_whole_one_is_given_after_they_ended(
    parts: Parts, kubectl: Kubectl
) -> None:
    kubectl.apply([*TEMPLATES, *(pod_of(name, "small") for name in SMALL)])
    kubectl.await_pods(*SMALL)
    kubectl.apply([pod_of("eighth", "small"), pod_of("whole", "whole")])
    kubectl.await_unschedulable("eighth")
    kubectl.await_unschedulable("whole")
    kubectl("delete", "pods", *SMALL, "eighth")
    kubectl.await_pods("whole")
    assert nodes_in(kubectl, "whole") == ["nvidia0"]
    assert not capabilities_in(kubectl, "whole")


def test_a_partition_that_ends_makes_room_for_one_that_waits(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([*TEMPLATES, *(pod_of(name, "small") for name in SMALL)])
    kubectl.await_pods(*SMALL)
    kubectl.apply([pod_of("eighth", "small")])
    kubectl.await_unschedulable("eighth")
    kubectl("delete", "pod", SMALL[3])
    kubectl.await_pods("eighth")


def test_each_partition_has_capability_devices_that_no_other_has(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply([*TEMPLATES, *(pod_of(name, "small") for name in SMALL[:3])])
    kubectl.await_pods(*SMALL[:3])
    seen = [capabilities_in(kubectl, name) for name in SMALL[:3]]
    assert [len(each) for each in seen] == [2, 2, 2]  # its GPU instance and its compute instance
    assert len(set().union(*seen)) == 6
    for name in SMALL[:3]:
        assert nodes_in(kubectl, name) == ["nvidia0"]


def capabilities_in(kubectl: Kubectl, pod: str) -> set[str]:
    return set(kubectl("exec", pod, "--", "find", "/dev", "-path", "/dev/nvidia-caps/*").split())
