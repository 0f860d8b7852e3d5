"""Which MPS control daemons a claim needs, and what its containers are given to meet them."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.model import Device, DeviceName, Quantity
from slicewire.node_prep.core import mpsclients
from slicewire.node_prep.core.cdi import CdiMount
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.hardware import FullGpu, Partition
from slicewire.node_prep.core.holding import Holders
from slicewire.node_prep.core.plan import PreparePlan, plan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    MakeMpsDirectories,
    MpsDevice,
    SetExclusiveMode,
    StartMps,
    TurnMigModeOff,
    WriteCdiFile,
)
from tests.unit.node_prep.builders import (
    TRACE,
    a_claim,
    a_config,
    a_gpu,
    a_node,
    a_partition,
    a_result,
    an_allocation,
    uuid_of,
)

PART = "gpu-0-mig-1g10gb-19-3"
MPS_ROOT = "/plugins/mps"


def outcome(
    *devices: Device,
    uid: str = "claim-1",
    kind: str = "GpuConfig",
    holders: Holders = (),
    result: dict[str, Any] | None = None,
    **mps: object,
) -> PreparePlan | PrepareRefusal:
    results = (a_result(device.name, **(result or {})) for device in devices)
    config = (a_config(kind, sharing={"strategy": "MPS", "mpsConfig": mps}),)
    return plan(an_allocation(*results, claim=a_claim(uid), config=config), a_node(*devices), holders)


def planned(*devices: Device, **more: Any) -> PreparePlan:
    made = outcome(*devices, **more)
    assert isinstance(made, PreparePlan), made
    return made


def daemons(*devices: Device, **more: Any) -> tuple[StartMps, ...]:
    return tuple(step for step in planned(*devices, **more).steps if isinstance(step, StartMps))


def limits(*devices: Device, **more: Any) -> list[int | None]:
    [daemon] = daemons(*devices, **more)
    return [device.memory_mebibytes for device in daemon.devices]


def holders_of(made: PreparePlan) -> Holders:
    return Checkpoint().with_reserved(made, Asker.BUS, TRACE).holders(but=a_claim("another").uid)


def test_directories_then_the_mode_then_the_daemon_then_the_file() -> None:
    gpu = uuid_of(0)
    daemon = StartMps(devices=(MpsDevice(hardware=FullGpu(uuid=gpu)),))
    assert planned(a_gpu(0)).steps == (
        TurnMigModeOff(gpu=gpu),
        MakeMpsDirectories(daemon=daemon.daemon),
        SetExclusiveMode(gpu=gpu),
        daemon,
        WriteCdiFile(claim="claim-1"),
    )


def test_gpus_of_one_configuration_have_one_daemon_whatever_their_order() -> None:
    [daemon] = daemons(a_gpu(1), a_gpu(0))
    assert [device.key for device in daemon.devices] == [uuid_of(0), uuid_of(1)]
    assert daemons(a_gpu(0), a_gpu(1)) == (daemon,)


def test_the_name_of_a_daemon_is_of_its_devices_and_short_enough_for_a_socket() -> None:
    names = {
        daemon.daemon
        for gpus in ((0,), (1,), (0, 1))
        for daemon in daemons(*(a_gpu(minor) for minor in gpus))
    }
    assert len(names) == 3
    assert {len(name) for name in names} == {16}


def test_partitions_have_a_daemon_each_and_keep_the_mode_of_their_gpu() -> None:
    other = "gpu-0-mig-1g10gb-19-4"
    made = planned(a_partition(PART), a_partition(other), kind="MigDeviceConfig")
    assert [step.devices[0].key for step in made.steps if isinstance(step, StartMps)] == [
        f"{uuid_of(0)}/19/3",
        f"{uuid_of(0)}/19/4",
    ]
    assert not any(isinstance(step, SetExclusiveMode) for step in made.steps)
    kinds = [type(step) for step in made.steps]
    assert kinds.index(CreateComputeInstance) < kinds.index(StartMps)


def test_a_partition_that_exists_is_known_by_its_uuid() -> None:
    [daemon] = daemons(a_partition(PART, uuid="MIG-1"), kind="MigDeviceConfig")
    assert daemon.devices == (
        MpsDevice(hardware=Partition(gpu=uuid_of(0), profile_id=19, start=3, uuid="MIG-1")),
    )


def test_percentage_and_several_users_are_the_daemons() -> None:
    [daemon] = daemons(a_gpu(0), defaultActiveThreadPercentage=30, multiUser=True)
    assert (daemon.active_thread_percentage, daemon.multi_user) == (30, True)


def test_administrative_access_needs_no_daemon() -> None:
    assert daemons(a_gpu(0), result={"admin_access": True}) == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [None, None]),
        ({"defaultPinnedDeviceMemoryLimit": "4Gi"}, [4096, 4096]),
        ({"defaultPinnedDeviceMemoryLimit": "1.5Mi"}, [1, 1]),
        ({"defaultPerDevicePinnedMemoryLimit": {"1": "2Gi"}}, [None, 2048]),
        ({"defaultPerDevicePinnedMemoryLimit": {uuid_of(0): "2Gi"}}, [2048, None]),
        (
            {
                "defaultPinnedDeviceMemoryLimit": "1Gi",
                "defaultPerDevicePinnedMemoryLimit": {"0": "2G"},
            },
            [1907, 1024],
        ),
    ],
)
def test_limits_are_whole_mebibytes_and_a_devices_own_beats_the_general(
    given: dict[str, Any], expected: list[int | None]
) -> None:
    assert limits(a_gpu(0), a_gpu(1), **given) == expected


def test_a_limit_of_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert outcome(a_gpu(0), defaultPerDevicePinnedMemoryLimit={"1": "2Gi"}) == PrepareRefusal(
        Why.CONFIG,
        "sharing.mpsConfig.defaultPerDevicePinnedMemoryLimit[1]: invalid device: the devices that share this"
        f" configuration are 0 ({uuid_of(0)})",
    )


def test_two_limits_of_one_device_are_refused() -> None:
    refused = outcome(a_gpu(0), defaultPerDevicePinnedMemoryLimit={"0": "2Gi", uuid_of(0): "3Gi"})
    assert isinstance(refused, PrepareRefusal)
    assert refused.reason.endswith(f"{uuid_of(0)} has a limit already, by its index or its UUID")


def test_claims_that_share_a_gpu_share_its_daemon() -> None:
    first = planned(a_gpu(0), result={"share_id": "one"})
    second = planned(a_gpu(0), uid="claim-2", result={"share_id": "two"}, holders=holders_of(first))
    assert first.steps[:-1] == second.steps[:-1]


def test_claims_that_share_a_gpu_and_not_all_gpus_are_in_conflict() -> None:
    first = planned(a_gpu(0), a_gpu(1), result={"share_id": "one"})
    refused = outcome(a_gpu(1), uid="claim-2", result={"share_id": "two"}, holders=holders_of(first))
    assert refused == PrepareRefusal(
        Why.CONFLICT,
        f"conflicting configuration: {uuid_of(1)} has an MPS control daemon for {uuid_of(0)}, {uuid_of(1)},"
        f" of claim {a_claim()}; claims that share a GPU by MPS must share the same GPUs, with the same"
        " limits",
    )


def test_a_container_gets_the_daemons_pipe_and_its_memory() -> None:
    made = planned(a_gpu(0))
    [daemon] = daemons(a_gpu(0))
    edits = mpsclients.edits(made, MPS_ROOT)[DeviceName("gpu-0")]
    folder, options = f"{MPS_ROOT}/{daemon.daemon}", ("rw", "nosuid", "nodev", "bind")
    assert edits.env == ("CUDA_MPS_PIPE_DIRECTORY=/tmp/nvidia-mps",)
    assert edits.mounts == (
        CdiMount(host_path=f"{folder}/shm", container_path="/dev/shm", options=options),
        CdiMount(host_path=f"{folder}/pipe", container_path="/tmp/nvidia-mps", options=options),
    )


@pytest.mark.parametrize(
    ("granted", "given", "expected"),
    [
        ("10Gi", {}, "0=10240M"),
        ("10Gi", {"defaultPinnedDeviceMemoryLimit": "4Gi"}, "0=4096M"),
        ("1Gi", {"defaultPinnedDeviceMemoryLimit": "4Gi"}, "0=1024M"),
        ("1", {}, "0=1M"),
        ("0", {}, None),
    ],
)
def test_the_memory_of_a_share_is_the_limit_of_each_process_of_the_claim(
    granted: str, given: dict[str, Any], expected: str | None
) -> None:
    result = {"share_id": "one", "consumed_capacity": {"memory": Quantity(granted)}}
    made = planned(a_gpu(0), result=result, **given)
    env = mpsclients.edits(made, MPS_ROOT)[DeviceName("gpu-0")].env
    assert env[1:] == ((f"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT={expected}",) if expected else ())


def test_shares_of_several_gpus_are_limited_by_the_ordinals_of_the_daemon() -> None:
    result = {"share_id": "one", "consumed_capacity": {"memory": Quantity("2Gi")}}
    made = planned(a_gpu(1), a_gpu(0), result=result)
    for edits in mpsclients.edits(made, MPS_ROOT).values():
        assert edits.env[1] == "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=2048M,1=2048M"
