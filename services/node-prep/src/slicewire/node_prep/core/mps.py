"""Which MPS control daemons the devices of a claim need.

Whole GPUs of one configuration have a daemon together, as a process may use several; a partition has its
own, as a process can use one only (NVIDIA's MIG user guide). A GPU has one daemon: in the mode that MPS
needs, a second one would find it taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from slicewire.common.model import Quantity
from slicewire.node_prep.core.config import (
    MEBIBYTE,
    DeviceConfig,
    GpuConfig,
    GpuSharing,
    MigDeviceConfig,
    MigDeviceSharing,
    MpsConfig,
    Strategy,
)
from slicewire.node_prep.core.hardware import FullGpu, Partition, PlannedDevice
from slicewire.node_prep.core.holding import Holding
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    MakeMpsDirectories,
    MpsDevice,
    SetExclusiveMode,
    StartMps,
    Step,
)

_Shared = FullGpu | Partition


def config_of(planned: PlannedDevice) -> MpsConfig | None:
    """None where the device is shared otherwise, or not at all. Who only looks on is nobody's client."""
    if planned.admin_access:
        return None
    match planned.config:
        case GpuConfig(GpuSharing(Strategy.MPS, mps_config=mps)):
            return mps
        case MigDeviceConfig(MigDeviceSharing(Strategy.MPS, mps_config=mps)):
            return mps
        case _:
            return None


def steps(devices: Sequence[PlannedDevice], holders: Iterable[Holding]) -> tuple[Step, ...] | PrepareRefusal:
    """For the daemons of all devices of a claim. `holders` are those of other claims."""
    wanted = daemons(devices)
    if isinstance(wanted, PrepareRefusal):
        return wanted
    if refusal := _in_the_way(wanted, holders):
        return refusal
    return tuple(step for daemon in wanted for step in _steps_of(daemon))


def daemons(devices: Sequence[PlannedDevice]) -> tuple[StartMps, ...] | PrepareRefusal:
    """Those of one claim."""
    found: list[StartMps] = []
    for config, members in _alike(devices):
        limits = _limits(config, members)
        if isinstance(limits, PrepareRefusal):
            return limits
        found.extend(_daemons_of(config, limits))
    return tuple(found)


def _steps_of(daemon: StartMps) -> Iterator[Step]:
    yield MakeMpsDirectories(daemon=daemon.daemon)
    for device in daemon.devices:
        if isinstance(device.hardware, FullGpu):  # in MIG mode there is no other compute mode
            yield SetExclusiveMode(gpu=device.hardware.uuid)
    yield daemon


def _alike(devices: Sequence[PlannedDevice]) -> Iterator[tuple[MpsConfig, tuple[_Shared, ...]]]:
    """The devices that share a configuration, in the order in which they were given."""
    configs: list[DeviceConfig] = []
    for planned in devices:
        if planned.config not in configs:
            configs.append(planned.config)
    for config in configs:
        members = [planned for planned in devices if planned.config == config]
        clients = [(mps, planned) for planned in members if (mps := config_of(planned)) is not None]
        if clients:
            hardware = dict.fromkeys(_shared(planned) for _, planned in clients)
            yield clients[0][0], tuple(hardware)


def _shared(planned: PlannedDevice) -> _Shared:
    assert isinstance(planned.hardware, FullGpu | Partition), "only GPUs and their parts have such a config"
    return planned.hardware


def _daemons_of(config: MpsConfig, devices: Sequence[MpsDevice]) -> Iterator[StartMps]:
    gpus = tuple(one for one in devices if isinstance(one.hardware, FullGpu))
    alone = ((one,) for one in devices if isinstance(one.hardware, Partition))
    for members in (*((gpus,) if gpus else ()), *alone):
        yield StartMps(
            devices=tuple(sorted(members, key=lambda one: one.key)),
            active_thread_percentage=config.default_active_thread_percentage,
            multi_user=config.multi_user,
        )


def _limits(config: MpsConfig, members: Sequence[_Shared]) -> tuple[MpsDevice, ...] | PrepareRefusal:
    """A device's own limit beats the one for all."""
    devices = [MpsDevice(hardware=one) for one in members]
    by_name = {str(index): device.key for index, device in enumerate(devices)}
    by_name |= {device.key: device.key for device in devices}
    own: dict[str, Quantity] = {}
    for name, limit in config.default_per_device_pinned_memory_limit.items():
        if name not in by_name:
            return _unknown(name, devices)
        if by_name[name] in own:
            return _twice(name, by_name[name])
        own[by_name[name]] = limit
    general = config.default_pinned_device_memory_limit
    return tuple(
        MpsDevice(hardware=one.hardware, memory_mebibytes=_mebibytes(own.get(one.key, general)))
        for one in devices
    )


def _mebibytes(limit: Quantity | None) -> int | None:
    """Rounded down: nobody gets more than was granted."""
    return None if limit is None else int(limit.value // MEBIBYTE)


def _unknown(name: str, devices: Sequence[MpsDevice]) -> PrepareRefusal:
    known = ", ".join(f"{index} ({device.key})" for index, device in enumerate(devices))
    return PrepareRefusal(
        Why.CONFIG,
        f"sharing.mpsConfig.defaultPerDevicePinnedMemoryLimit[{name}]: invalid device: the devices that share"
        f" this configuration are {known}",
    )


def _twice(name: str, key: str) -> PrepareRefusal:
    return PrepareRefusal(
        Why.CONFIG,
        f"sharing.mpsConfig.defaultPerDevicePinnedMemoryLimit[{name}]: {key} has a limit already,"
        " by its index or its UUID",
    )


def _in_the_way(wanted: Iterable[StartMps], holders: Iterable[Holding]) -> PrepareRefusal | None:
    for claim, theirs in _others(holders):
        for daemon in wanted:
            for other in theirs:
                common = {one.key for one in daemon.devices} & {one.key for one in other.devices}
                if common and daemon != other:
                    return _conflicting(min(common), claim, other)
    return None


def _others(holders: Iterable[Holding]) -> Iterator[tuple[Claim, tuple[StartMps, ...]]]:
    held: dict[Claim, list[PlannedDevice]] = {}
    for holding in holders:
        held.setdefault(holding.claim, []).append(holding.planned)
    for claim, devices in held.items():
        found = daemons(devices)
        if not isinstance(found, PrepareRefusal):
            yield claim, found


def _conflicting(device: str, claim: Claim, theirs: StartMps) -> PrepareRefusal:
    together = ", ".join(one.key for one in theirs.devices)
    return PrepareRefusal(
        Why.CONFLICT,
        f"conflicting configuration: {device} has an MPS control daemon for {together}, of claim {claim};"
        " claims that share a GPU by MPS must share the same GPUs, with the same limits",
    )
