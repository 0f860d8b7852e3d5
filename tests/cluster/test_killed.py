"""kill -9 of each part while pods start: they run all the same, and no GPU is given twice."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import MANAGED, Kubectl, as_it_is, example, gated
from tests.cluster.slicewire import PARTS, Parts
from tests.cluster.test_examples import nodes_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("managed", [False, True], ids=["kube-scheduler", "slicewire"])
def test_pods_start_although_a_part_is_killed(
    parts: Parts, kubectl: Kubectl, part: str, managed: bool
) -> None:
    if managed:
        kubectl(*MANAGED)
    kubectl.apply(example("one-gpu-per-pod", gated if managed else as_it_is))
    parts.kill(part)
    kubectl.await_pods("trainer-1", "trainer-2")
    assert nodes_in(kubectl, "trainer-1") != nodes_in(kubectl, "trainer-2")
