"""`slicewire-discovery --once`: what a node would tell and publish, without a bus."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slicewire.common.messages import PoolObserved
from slicewire.common.model import wire

pytestmark = pytest.mark.slow

POLICY = """\
apiVersion: slicewire.dev/v1alpha1
kind: NodePolicy
rules:
- match: {names: [gpu-0]}
  partitions: dynamic
- match: {names: [gpu-1]}
  offer: [gpu, vfio]
- match: {names: [gpu-2]}
  shares: 4
"""


async def _run(*arguments: str, **settings: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "slicewire.discovery", "--once", *arguments),
        env={"PATH": os.environ["PATH"], "SLICEWIRE_NODE_NAME": "node-a", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


async def test_a_simulated_model_is_shown_as_the_policy_would_offer_it(policy: Path) -> None:
    status, said, _ = await _run("--profile", "h100", "--policy", str(policy))
    assert status == 0
    pool = wire.decode(said, PoolObserved)
    names = [device.name for device in pool.devices]
    assert (pool.node, pool.unreadable) == ("node-a", ())
    assert len([name for name in names if name.startswith("gpu-0")]) == 26
    assert names[26:] == ["gpu-1", "gpu-vfio-1", *(f"gpu-{number}" for number in range(2, 8))]
    assert [one.name for one in pool.shared_counters] == ["gpu-0-counter-set", "gpu-1-counter-set"]


@pytest.mark.slow
async def test_it_is_shown_as_the_slices_that_would_be_published(policy: Path) -> None:
    status, said, _ = await _run(
        *("-o", "resourceslices", "--profile", "h100"), SLICEWIRE_DISCOVERY_POLICY_FILE=str(policy)
    )
    assert status == 0
    items: list[dict[str, Any]] = json.loads(said)["items"]
    sizes = [len(item["spec"].get("devices", ())) for item in items]
    assert sizes == [0, 26, 2, 1, 1, 1, 1, 1, 1]


async def test_a_policy_that_cannot_be_used_is_said_in_one_line_and_nothing_is_shown(policy: Path) -> None:
    policy.write_text(POLICY.replace("shares: 4", "shares: 0"))
    status, said, complained = await _run("--profile", "h100", "--policy", str(policy))
    assert (status, said) == (2, "")
    assert complained == (
        f"node policy {policy}: rules[2].shares: 0 is not disabled, unlimited, memory or a number from 1\n"
    )


@pytest.mark.slow
async def test_a_library_that_is_not_there_is_in_the_fact(tmp_path: Path) -> None:
    library = tmp_path / "libnvidia-ml.so.1"
    status, said, _ = await _run("--nvml-library", str(library), SLICEWIRE_DISCOVERY_SYSFS_ROOT=str(tmp_path))
    assert status == 0
    fact = msgspec.json.decode(said)
    assert [one["what"] for one in fact["unreadable"]] == ["NVML"]


@pytest.mark.slow
async def test_names_that_are_remembered_are_used_and_not_touched(tmp_path: Path) -> None:
    state = {
        "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
        "SLICEWIRE_DISCOVERY_NVML_STATE": str(tmp_path / "gpus.json"),
        "SLICEWIRE_DISCOVERY_NVML_GPUS": "1",
    }
    _, said, _ = await _run(**state)
    uuid = wire.decode(said, PoolObserved).devices[0].attributes["uuid"].string
    names = tmp_path / "names.json"
    known = {"known": [{"pciBusID": "0000:07:00.0", "uuid": uuid, "gpu": 5, "vfio": 6}]}
    names.write_bytes(msgspec.json.encode(known))
    _, said, _ = await _run(**state, SLICEWIRE_DISCOVERY_NAMES_FILE=str(names))
    assert [device.name for device in wire.decode(said, PoolObserved).devices] == ["gpu-5"]
    assert msgspec.json.decode(names.read_bytes()) == known
