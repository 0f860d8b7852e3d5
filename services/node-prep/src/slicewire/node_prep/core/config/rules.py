"""What a configuration must be to be applied, and the one form that equal configurations have.

The errors that NVIDIA's driver has too are in its words; where it crashes, there is an error as well.
"""

from __future__ import annotations

import re
from typing import assert_never

from slicewire.common.model import Quantity
from slicewire.node_prep.core.config.kinds import (
    BackendPolicy,
    BadConfig,
    DeviceConfig,
    GpuConfig,
    GpuSharing,
    Interval,
    MigDeviceConfig,
    MigDeviceSharing,
    MpsConfig,
    Strategy,
    TimeSlicingConfig,
    VfioDeviceConfig,
    VfioIommu,
)

MEBIBYTE = 1 << 20
"""The unit in which the MPS control daemon is told a limit."""
_DEVICE_KEY = re.compile(r"0|[1-9]\d{0,3}|(GPU|MIG)-[A-Za-z0-9/-]+", re.ASCII)
_HUNDRED_PERCENT = 100
_MPS_IN_TURNS = BadConfig("sharing.mpsConfig: cannot use MpsConfig with the 'TimeSlicing' strategy")


def normalised(config: DeviceConfig) -> DeviceConfig | BadConfig:
    """What was left out is spelled out. An error names the field and its value."""
    match config:
        case GpuConfig():
            sharing = None if config.sharing is None else _gpu_sharing(config.sharing)
            return sharing if isinstance(sharing, BadConfig) else GpuConfig(sharing=sharing)
        case MigDeviceConfig():
            of_mig = None if config.sharing is None else _mig_sharing(config.sharing)
            return of_mig if isinstance(of_mig, BadConfig) else MigDeviceConfig(sharing=of_mig)
        case VfioDeviceConfig():
            return _vfio(config.iommu or VfioIommu())
        case never:
            assert_never(never)


def _gpu_sharing(sharing: GpuSharing) -> GpuSharing | BadConfig:
    match sharing.strategy:
        case Strategy.TIME_SLICING:
            if sharing.mps_config is not None:
                return _MPS_IN_TURNS
            slicing = sharing.time_slicing_config or TimeSlicingConfig(interval=Interval.DEFAULT)
            bad = _interval(slicing.interval)
            return bad or GpuSharing(strategy=sharing.strategy, time_slicing_config=slicing)
        case Strategy.MPS:
            if sharing.time_slicing_config is not None:
                return BadConfig(
                    "sharing.timeSlicingConfig: cannot use TimeSlicingConfig with the 'MPS' strategy"
                )
            mps = sharing.mps_config or MpsConfig()
            return _mps(mps) or GpuSharing(strategy=sharing.strategy, mps_config=mps)
        case unknown:
            return _unknown_strategy(unknown)


def _mig_sharing(sharing: MigDeviceSharing) -> MigDeviceSharing | BadConfig:
    """Time-slicing is accepted and has no effect: a partition has its slices to itself."""
    match sharing.strategy:
        case Strategy.TIME_SLICING:
            if sharing.mps_config is not None:
                return _MPS_IN_TURNS
            return sharing
        case Strategy.MPS:
            mps = sharing.mps_config or MpsConfig()
            return _mps(mps) or MigDeviceSharing(strategy=sharing.strategy, mps_config=mps)
        case unknown:
            return _unknown_strategy(unknown)


def _vfio(iommu: VfioIommu) -> VfioDeviceConfig | BadConfig:
    if iommu.backend_policy not in tuple(BackendPolicy):
        return BadConfig(
            f"iommu.backendPolicy: unknown IOMMU backend policy: {iommu.backend_policy},"
            f" supported IOMMU backend policies: {', '.join(BackendPolicy)}"
        )
    return VfioDeviceConfig(iommu=iommu)


def _unknown_strategy(strategy: str) -> BadConfig:
    return BadConfig(
        f"sharing.strategy: unknown GPU sharing strategy: {strategy},"
        f" supported GPU sharing strategies: {', '.join(Strategy)}"
    )


def _interval(interval: str | None) -> BadConfig | None:
    field, known = "sharing.timeSlicingConfig.interval", ", ".join(Interval)
    if interval is None:
        return BadConfig(f"{field} is missing: one of {known}")
    if interval not in tuple(Interval):
        return BadConfig(f"{field}: unknown time-slice interval: {interval}, known intervals: {known}")
    return None


def _mps(mps: MpsConfig) -> BadConfig | None:
    percentage, where = mps.default_active_thread_percentage, "sharing.mpsConfig"
    if percentage is not None and percentage < 0:
        return BadConfig(
            f"{where}.defaultActiveThreadPercentage: active thread percentage must not be negative:"
            f" {percentage}"
        )
    if percentage is not None and percentage > _HUNDRED_PERCENT:
        return BadConfig(
            f"{where}.defaultActiveThreadPercentage: active thread percentage must not be greater than 100:"
            f" {percentage}"
        )
    general = mps.default_pinned_device_memory_limit
    if general is not None and (bad := _limit(general, f"{where}.defaultPinnedDeviceMemoryLimit")):
        return bad
    for key, limit in mps.default_per_device_pinned_memory_limit.items():
        field = f"{where}.defaultPerDevicePinnedMemoryLimit[{key}]"
        if not _DEVICE_KEY.fullmatch(key):
            return BadConfig(f"{field}: invalid device: {key!r} is neither a UUID nor an index")
        if bad := _limit(limit, field):
            return bad
    return None


def _limit(limit: Quantity, field: str) -> BadConfig | None:
    if limit.value >= MEBIBYTE:
        return None
    return BadConfig(f"{field}: invalid limit: value set too low: {limit}, the least is 1Mi")
