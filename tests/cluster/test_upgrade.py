"""A real kubelet keeps two instances of the driver registered, and goes on when the old one is gone."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import Kubectl, example
from tests.cluster.slicewire import Parts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def test_pods_start_and_end_while_one_instance_replaces_the_other(parts: Parts, kubectl: Kubectl) -> None:
    kubectl.apply(example("one-gpu-per-pod"))
    kubectl.await_pods("trainer-1", "trainer-2")
    with parts.successor_of_node_prep():
        parts.daemons["node-prep"].stop()
        kubectl("delete", "pods", "trainer-1", "trainer-2", "--timeout=60s")
        kubectl.apply(example("one-gpu-per-pod"))
        kubectl.await_pods("trainer-1", "trainer-2")
        kubectl("delete", "pods", "trainer-1", "trainer-2", "--timeout=60s")
        parts.start("node-prep")
