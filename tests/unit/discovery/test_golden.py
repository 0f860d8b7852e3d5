"""The devices of a simulated node are those that NVIDIA's driver publishes of the same machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.messages import PoolObserved
from slicewire.common.model import NodeName, wire
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.state import new_node
from slicewire.discovery.looking import Looker

GOLDEN = Path(__file__).parents[4] / "shared" / "nvidia-slices"


def _looked(folder: Path, node: str, model: str) -> PoolObserved:
    nvml = SimulatedNvml(folder / "state.json", new_node(node, model, 8))
    return Looker(nvml, NodeName(node), NVIDIA_DRIVER, nvml.sysfs_root).look()


def _comparable(devices: list[dict[str, Any]]) -> dict[str, Any]:
    """Memory sizes of the golden nodes are approximate, and a UUID is each node's own: present is enough."""
    for device in devices:
        device["attributes"]["uuid"]["string"] = "a UUID"
        device["capacity"]["memory"]["value"] = "a quantity"
    return {device["name"]: device for device in devices}


@pytest.mark.parametrize(("golden", "model"), [("h100", "h100"), ("a100", "a100-40gb")])
def test_devices_are_as_nvidias_driver_publishes_them(tmp_path: Path, golden: str, model: str) -> None:
    file = GOLDEN / f"{golden}-default-sysfs.json"
    if not file.exists():
        pytest.skip(f"the reference slices are not here: {file}")
    spec = json.loads(file.read_text())["items"][0]["spec"]
    pool = _looked(tmp_path, spec["nodeName"], model)
    assert (pool.driver, pool.pool, pool.unreadable) == (spec["driver"], spec["pool"]["name"], ())
    assert _comparable(wire.to_builtins(pool.devices)) == _comparable(spec["devices"])


def test_a_simulated_h100_is_published_whole(tmp_path: Path) -> None:
    device = _looked(tmp_path, "node-a", "h100").devices[4]
    uuid = device.attributes["uuid"].string
    assert wire.to_builtins(device) == {
        "name": "gpu-4",
        "attributes": {
            "type": {"string": "gpu"},
            "uuid": {"string": uuid},
            "productName": {"string": "NVIDIA H100 80GB HBM3"},
            "brand": {"string": "Nvidia"},
            "architecture": {"string": "Hopper"},
            "cudaComputeCapability": {"version": "9.0.0"},
            "driverVersion": {"version": "550.163.1"},
            "cudaDriverVersion": {"version": "12.4.0"},
            "resource.kubernetes.io/pciBusID": {"string": "0000:8a:00.0"},
            "resource.kubernetes.io/pcieRoot": {"string": "pci0000:80"},
            "resource.kubernetes.io/numaNode": {"int": 1},
        },
        "capacity": {"memory": {"value": "81559Mi"}},
    }
