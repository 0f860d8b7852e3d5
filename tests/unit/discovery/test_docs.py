"""docs/discovery.md is true: its policy can be used, and its table has every attribute."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.discovery import sysfs
from slicewire.discovery.core.policy import Choice, DeviceType, Identity, Partitions
from slicewire.discovery.core.policychecks import checked
from slicewire.discovery.settings import Settings
from tests.unit.discovery.builders import seen

TEXT = (Path(__file__).parents[3] / "docs" / "discovery.md").read_text()


def test_the_policy_of_the_example_can_be_used_and_means_what_it_says() -> None:
    (example,) = re.findall(r"```yaml\n(apiVersion.*?)```", TEXT, re.DOTALL)
    policy = checked(yaml.safe_load(example))
    inference = Identity(node="inference-3", name="gpu-6", product_name="NVIDIA H100 80GB HBM3")
    assert policy.choice(inference).partitions is Partitions.DYNAMIC
    assert policy.choice(Identity(name="gpu-6")).shares == 4
    assert policy.choice(Identity(pci_bus_id="0000:4a:00.0")).offer == (DeviceType.GPU, DeviceType.VFIO)
    assert policy.choice(Identity()) == Choice()
    assert {rule.match for rule in policy.rules if rule.offer == ()}


@pytest.mark.parametrize("model", ["h100", "gb200"])
def test_every_attribute_is_in_the_table(tmp_path: Path, model: str) -> None:
    nvml = SimulatedNvml(tmp_path / "state.json", new_node("node-a", model, 2))
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    choice = Choice(offer=tuple(DeviceType), partitions=Partitions.DYNAMIC, shares=2)
    devices = seen(facts, *sysfs.gpus_on_the_bus(nvml.sysfs_root), choice=choice).devices
    told = {name for device in devices for name in (*device.attributes, *device.capacity)}
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    assert told - set(re.findall(r"`([^`]+)`", prose)) == set()


def test_every_setting_that_is_named_exists() -> None:
    settings = {f"SLICEWIRE_DISCOVERY_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    assert set(re.findall(r"SLICEWIRE_DISCOVERY_\w+", TEXT)) <= settings
