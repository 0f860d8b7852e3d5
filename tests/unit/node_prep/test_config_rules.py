"""What a configuration must be to be applied: every mistake names its field and its value."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.model import wire
from slicewire.node_prep.core.config import (
    BadConfig,
    DeviceConfig,
    GpuConfig,
    MigDeviceConfig,
    VfioDeviceConfig,
    normalised,
)


def gpu(**sharing: Any) -> DeviceConfig | BadConfig:
    return normalised(wire.strictly({"sharing": sharing}, GpuConfig))


def mig(**sharing: Any) -> DeviceConfig | BadConfig:
    return normalised(wire.strictly({"sharing": sharing}, MigDeviceConfig))


def mps(**config: Any) -> DeviceConfig | BadConfig:
    return gpu(strategy="MPS", mpsConfig=config)


def test_what_is_left_out_is_spelled_out() -> None:
    assert gpu(strategy="TimeSlicing") == gpu(
        strategy="TimeSlicing", timeSlicingConfig={"interval": "Default"}
    )
    assert gpu(strategy="MPS") == gpu(strategy="MPS", mpsConfig={})
    assert mig(strategy="MPS") == mig(strategy="MPS", mpsConfig={})
    assert normalised(VfioDeviceConfig()) == normalised(
        wire.strictly({"iommu": {"backendPolicy": "LegacyOnly", "enableAPIDevice": False}}, VfioDeviceConfig)
    )


def test_without_sharing_nothing_is_shared() -> None:
    assert normalised(GpuConfig()) == GpuConfig()
    assert normalised(MigDeviceConfig()) == MigDeviceConfig()


def test_limits_that_mean_the_same_are_equal() -> None:
    assert mps(defaultPinnedDeviceMemoryLimit="1Gi") == mps(defaultPinnedDeviceMemoryLimit="1024Mi")
    assert mps(defaultPinnedDeviceMemoryLimit="1Gi") != mps(defaultPinnedDeviceMemoryLimit="1G")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            gpu(),
            (
                "sharing.strategy: unknown GPU sharing strategy: ,"
                " supported GPU sharing strategies: TimeSlicing, MPS"
            ),
        ),
        (
            mig(strategy="mps"),
            (
                "sharing.strategy: unknown GPU sharing strategy: mps,"
                " supported GPU sharing strategies: TimeSlicing, MPS"
            ),
        ),
        (
            gpu(strategy="TimeSlicing", timeSlicingConfig={}),
            "sharing.timeSlicingConfig.interval is missing: one of Default, Short, Medium, Long",
        ),
        (
            gpu(strategy="TimeSlicing", timeSlicingConfig={"interval": "Longer"}),
            (
                "sharing.timeSlicingConfig.interval: unknown time-slice interval: Longer,"
                " known intervals: Default, Short, Medium, Long"
            ),
        ),
        (
            gpu(strategy="TimeSlicing", mpsConfig={}),
            "sharing.mpsConfig: cannot use MpsConfig with the 'TimeSlicing' strategy",
        ),
        (
            mig(strategy="TimeSlicing", mpsConfig={}),
            "sharing.mpsConfig: cannot use MpsConfig with the 'TimeSlicing' strategy",
        ),
        (
            gpu(strategy="MPS", timeSlicingConfig={"interval": "Long"}),
            "sharing.timeSlicingConfig: cannot use TimeSlicingConfig with the 'MPS' strategy",
        ),
        (
            mps(defaultActiveThreadPercentage=-1),
            (
                "sharing.mpsConfig.defaultActiveThreadPercentage: active thread percentage must not be"
                " negative: -1"
            ),
        ),
        (
            mps(defaultActiveThreadPercentage=101),
            (
                "sharing.mpsConfig.defaultActiveThreadPercentage: active thread percentage must not be"
                " greater than 100: 101"
            ),
        ),
        (
            mps(defaultPinnedDeviceMemoryLimit="1023Ki"),
            (
                "sharing.mpsConfig.defaultPinnedDeviceMemoryLimit: invalid limit: value set too low: 1023Ki,"
                " the least is 1Mi"
            ),
        ),
        (
            mps(defaultPerDevicePinnedMemoryLimit={"0": "1Gi", "1": "0"}),
            (
                "sharing.mpsConfig.defaultPerDevicePinnedMemoryLimit[1]: invalid limit: value set too low: 0,"
                " the least is 1Mi"
            ),
        ),
        (
            mps(defaultPerDevicePinnedMemoryLimit={"first": "1Gi"}),
            (
                "sharing.mpsConfig.defaultPerDevicePinnedMemoryLimit[first]: invalid device: 'first' is"
                " neither a UUID nor an index"
            ),
        ),
        (
            normalised(wire.strictly({"iommu": {"backendPolicy": "Always"}}, VfioDeviceConfig)),
            (
                "iommu.backendPolicy: unknown IOMMU backend policy: Always,"
                " supported IOMMU backend policies: LegacyOnly, PreferIommuFD"
            ),
        ),
    ],
)
def test_a_mistake_names_its_field_and_its_value(config: DeviceConfig | BadConfig, said: str) -> None:
    assert config == BadConfig(said)


@pytest.mark.parametrize("percentage", [0, 100])
def test_the_ends_of_the_range_are_in_it(percentage: int) -> None:
    assert isinstance(mps(defaultActiveThreadPercentage=percentage), GpuConfig)


@pytest.mark.parametrize("key", ["0", "15", "GPU-6f570f14-3fb1-4637-b575-002163fbb70f", "MIG-1"])
def test_a_device_is_named_by_its_index_or_its_uuid(key: str) -> None:
    assert isinstance(mps(defaultPerDevicePinnedMemoryLimit={key: "1Mi"}), GpuConfig)
