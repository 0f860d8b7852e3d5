"""What the command line takes, and what one look prints."""

from __future__ import annotations

import json

import msgspec
import pytest

from slicewire.common.messages import PoolObserved, Unreadable
from slicewire.common.model import NodeName, PoolName, wire
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.discovery.command import Arguments, parsed, shown
from tests.unit.discovery.builders import DYNAMIC, a_gpu, a_mig, a_node, seen

POOL = PoolObserved(
    node=NodeName("node-a"),
    driver=NVIDIA_DRIVER,
    pool=PoolName("node-a"),
    generation=0,
    devices=seen(a_node(a_gpu(0), a_gpu(1))).devices,
    unreadable=(Unreadable(what="gpu-2", reason="GPU is lost"),),
)


def test_without_arguments_it_serves() -> None:
    assert parsed([]) == Arguments(once=False, form="fact", nvml_library="", profile="", policy="")


def test_a_dry_run_says_where_to_look_what_to_offer_and_how_to_print() -> None:
    assert parsed(["--once", "-o", "resourceslices", "--profile", "h100", "--policy", "p.yaml"]) == Arguments(
        once=True, form="resourceslices", profile="h100", policy="p.yaml"
    )
    assert parsed(["--once", "--nvml-library", "/lib/nvml.so"]).nvml_library == "/lib/nvml.so"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--profile", "h100"], "are for --once"),
        (["--nvml-library", "/lib/nvml.so"], "are for --once"),
        (["--once", "--profile", "h100", "--nvml-library", "x"], "not allowed with argument"),
    ],
)
def test_arguments_that_make_no_sense_together_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


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


def test_partitions_are_printed_behind_their_counters_a_slice_for_each_gpu() -> None:
    found = seen(a_node(a_gpu(0, mig=a_mig()), a_gpu(1, mig=a_mig())), choice=DYNAMIC)
    pool = msgspec.structs.replace(POOL, devices=found.devices, shared_counters=found.shared_counters)
    items = json.loads(shown(pool, "resourceslices"))["items"]
    contents = [(len(i["spec"].get("devices", ())), len(i["spec"].get("sharedCounters", ()))) for i in items]
    assert contents == [(0, 2), (6, 0), (6, 0)]
    assert {item["spec"]["pool"]["resourceSliceCount"] for item in items} == {3}
    assert len({item["metadata"]["name"] for item in items}) == 3
