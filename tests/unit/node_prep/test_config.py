"""NVIDIA's opaque configuration: what is read, what is refused, and which one wins."""

from __future__ import annotations

import pytest

from slicewire.common.model import DeviceAllocationConfiguration, DriverName, Quantity, RequestName
from slicewire.node_prep.core.config import (
    BadConfig,
    Configuration,
    DeviceConfig,
    DeviceType,
    GpuConfig,
    GpuSharing,
    MigDeviceConfig,
    MpsConfig,
    read,
)
from tests.unit.node_prep.builders import DRIVER, NVIDIA, a_config, an_opaque_config

GPU = RequestName("gpu")
KINDS = "GpuConfig, MigDeviceConfig, VfioDeviceConfig"


def mps(percentage: int) -> dict[str, object]:
    return {"strategy": "MPS", "mpsConfig": {"defaultActiveThreadPercentage": percentage}}


def chosen(
    *given: DeviceAllocationConfiguration, request: RequestName = GPU, device: DeviceType = DeviceType.GPU
) -> DeviceConfig | BadConfig:
    configuration = read(given, DRIVER)
    assert isinstance(configuration, Configuration)
    return configuration.of(request, device)


def percentage(config: DeviceConfig | BadConfig) -> int | None:
    assert isinstance(config, GpuConfig)
    assert config.sharing is not None
    assert config.sharing.mps_config is not None
    return config.sharing.mps_config.default_active_thread_percentage


def reason(*given: DeviceAllocationConfiguration) -> str:
    found = read(given, DRIVER)
    assert isinstance(found, BadConfig)
    return found.reason


def test_without_configuration_every_kind_of_device_has_its_default() -> None:
    assert chosen() == GpuConfig()
    assert chosen(device=DeviceType.MIG) == MigDeviceConfig()


def test_every_field_of_a_gpu_configuration_is_read() -> None:
    limits = {"defaultPinnedDeviceMemoryLimit": "4Gi", "defaultPerDevicePinnedMemoryLimit": {"0": "2Gi"}}
    config = chosen(a_config(sharing={"strategy": "MPS", "mpsConfig": {"multiUser": True, **limits}}))
    assert config == GpuConfig(
        sharing=GpuSharing(
            strategy="MPS",
            mps_config=MpsConfig(
                multi_user=True,
                default_pinned_device_memory_limit=Quantity("4Gi"),
                default_per_device_pinned_memory_limit={"0": Quantity("2Gi")},
            ),
        )
    )


def test_the_claim_beats_its_class_and_later_beats_earlier() -> None:
    from_claim = (a_config(sharing=mps(1)), a_config(sharing=mps(2)))
    from_class = a_config(source="FromClass", sharing=mps(3))
    assert percentage(chosen(*from_claim, from_class)) == 2
    assert percentage(chosen(from_class)) == 3


def test_the_last_one_that_names_the_request_or_names_none_wins() -> None:
    named, general = a_config(requests=("gpu",), sharing=mps(1)), a_config(sharing=mps(2))
    assert percentage(chosen(named, general)) == 2
    assert percentage(chosen(general, named)) == 1


def test_a_configuration_for_other_requests_does_not_apply() -> None:
    assert chosen(a_config(requests=("other",), sharing=mps(1))) == GpuConfig()


def test_a_configuration_for_a_request_applies_to_each_of_its_alternatives() -> None:
    alternative = RequestName("gpu/large")
    assert percentage(chosen(a_config(requests=("gpu",), sharing=mps(1)), request=alternative)) == 1
    assert percentage(chosen(a_config(requests=("gpu/large",), sharing=mps(2)), request=alternative)) == 2
    assert chosen(a_config(requests=("gpu/small",), sharing=mps(3)), request=alternative) == GpuConfig()


def test_a_general_configuration_of_another_kind_is_passed_over() -> None:
    assert chosen(a_config("MigDeviceConfig")) == GpuConfig()


def test_a_named_configuration_of_another_kind_cannot_be_applied() -> None:
    assert chosen(a_config("VfioDeviceConfig", requests=("gpu",))) == BadConfig(
        'cannot apply VfioDeviceConfig to a device of type "gpu" (request: gpu)'
    )


def test_configurations_of_other_drivers_are_not_ours_to_judge() -> None:
    theirs = an_opaque_config("anything", driver=DriverName("nic.example.com"))
    assert chosen(theirs) == GpuConfig()


def test_an_unknown_field_is_an_error_that_names_it() -> None:
    assert reason(a_config(), a_config(sharing={"strategi": "MPS"})) == (
        "config[1].opaque.parameters (GpuConfig): Object contains unknown field `strategi` - at `$.sharing`"
    )


def test_a_value_of_the_wrong_type_is_an_error_that_names_its_field() -> None:
    wrong = a_config(sharing={"strategy": "MPS", "mpsConfig": {"multiUser": "yes"}})
    assert "`$.sharing.mpsConfig.multiUser`" in reason(wrong)


def test_a_wrong_configuration_is_an_error_even_where_it_would_not_apply() -> None:
    assert "`oops`" in reason(a_config("MigDeviceConfig", requests=("other",), oops=1))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("text", "config[0].opaque.parameters is not an object"),
        ({"kind": "GpuConfig"}, "config[0].opaque.parameters.apiVersion: None is not " + NVIDIA),
        (
            {"apiVersion": "resource.nvidia.com/v1", "kind": "GpuConfig"},
            "config[0].opaque.parameters.apiVersion: 'resource.nvidia.com/v1' is not " + NVIDIA,
        ),
        (
            {"apiVersion": NVIDIA, "kind": "GPUConfig"},
            f"config[0].opaque.parameters.kind: 'GPUConfig' is none of {KINDS}",
        ),
        (
            {"apiVersion": NVIDIA, "kind": ["GpuConfig"]},
            f"config[0].opaque.parameters.kind: ['GpuConfig'] is none of {KINDS}",
        ),
    ],
)
def test_what_is_no_configuration_of_nvidias_is_said_by_field_and_value(
    parameters: object, said: str
) -> None:
    assert reason(an_opaque_config(parameters)) == said


def test_an_unknown_source_is_an_error() -> None:
    assert reason(a_config(source="FromPod")) == (
        "config[0].source: 'FromPod' is neither FromClass nor FromClaim"
    )


def test_a_configuration_that_is_not_opaque_is_an_error() -> None:
    assert reason(DeviceAllocationConfiguration(source="FromClaim")) == (
        "config[0].opaque is missing: only opaque configuration is understood"
    )
