"""What the command line takes, and what one look prints."""

from __future__ import annotations

import json

import pytest

from slicewire.common.messages import PoolObserved, Unreadable
from slicewire.common.model import NodeName, PoolName, wire
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.discovery.command import Arguments, parsed, shown
from slicewire.discovery.core.inventory import inventory
from tests.unit.discovery.builders import a_gpu, a_node

POOL = PoolObserved(
    node=NodeName("node-a"),
    driver=NVIDIA_DRIVER,
    pool=PoolName("node-a"),
    generation=0,
    devices=inventory(a_node(a_gpu(0), a_gpu(1)), ()).devices,
    unreadable=(Unreadable(what="gpu-2", reason="GPU is lost"),),
)


def test_without_arguments_it_serves() -> None:
    assert parsed([]) == Arguments(once=False, form="fact")


def test_help_says_what_it_does_and_lists_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "NVML" in told
    assert "SLICEWIRE_DISCOVERY_LOOK_EVERY_SECONDS (default 30.0)" in told
    assert "SLICEWIRE_NATS_URL" in told


def test_a_form_that_there_is_not_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(["--once", "-o", "yaml"])
    assert ended.value.code == 2
    assert "yaml" in capsys.readouterr().err


def test_a_fact_is_printed_as_it_would_be_told() -> None:
    assert wire.decode(shown(POOL, "fact"), PoolObserved) == POOL


def test_resourceslices_are_printed_as_kubernetes_has_them() -> None:
    printed = json.loads(shown(POOL, "resourceslices"))
    assert (printed["apiVersion"], printed["kind"]) == ("resource.k8s.io/v1", "ResourceSliceList")
    (item,) = printed["items"]
    spec = item["spec"]
    assert (spec["driver"], spec["nodeName"], spec["pool"]["name"]) == ("gpu.nvidia.com", "node-a", "node-a")
    assert spec["pool"]["resourceSliceCount"] == 1
    assert [device["name"] for device in spec["devices"]] == ["gpu-0", "gpu-1"]
