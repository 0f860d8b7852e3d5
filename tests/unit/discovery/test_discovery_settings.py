"""Discovery's settings, from the environment."""

from __future__ import annotations

import pytest

from slicewire.common.nvml.rooms import NvmlSettings
from slicewire.common.settings import BadSettings, from_environ
from slicewire.discovery.settings import PART, Settings


def test_what_is_set_for_nvml_reaches_the_door() -> None:
    settings = from_environ(
        Settings,
        PART,
        {
            "SLICEWIRE_NODE_NAME": "node-a",
            "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
            "SLICEWIRE_DISCOVERY_NVML_STATE": "/run/node-a/gpus.json",
            "SLICEWIRE_DISCOVERY_NVML_PROFILE": "t4",
            "SLICEWIRE_DISCOVERY_NVML_GPUS": "2",
            "SLICEWIRE_DISCOVERY_DRIVER_ROOT": "/driver",
        },
    )
    assert settings.nvml == NvmlSettings(
        room="simulated",
        state="/run/node-a/gpus.json",
        profile="t4",
        gpus=2,
        node="node-a",
        driver_root="/driver",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLICEWIRE_DISCOVERY_NVML_ROOM", "virtual"),
        ("SLICEWIRE_DISCOVERY_LOOK_EVERY_SECONDS", "0"),
        ("SLICEWIRE_DISCOVERY_NVML_GPUS", "many"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"{name}='{value}'"):
        from_environ(Settings, PART, {name: value})


def test_a_misspelt_name_is_refused() -> None:
    with pytest.raises(BadSettings, match="did you mean SLICEWIRE_DISCOVERY_NVML_ROOM"):
        from_environ(Settings, PART, {"SLICEWIRE_DISCOVERY_NVML_ROOMS": "real"})
