"""How a GPU is: heat, clocks, memory errors, and what the driver says must be done."""

from __future__ import annotations

from typing import Any

import pynvml

from slicewire.common.nvml.condition import (
    Condition,
    Ecc,
    RecoveryAction,
    RemappedRows,
    RetiredPages,
    SlowedBy,
)
from slicewire.common.nvml.real.asking import Parts

_SLOWED_BY = (
    (pynvml.nvmlClocksEventReasonSwPowerCap, SlowedBy.POWER_CAP),
    (pynvml.nvmlClocksEventReasonHwSlowdown, SlowedBy.HARDWARE),
    (pynvml.nvmlClocksEventReasonSyncBoost, SlowedBy.SYNC_BOOST),
    (pynvml.nvmlClocksEventReasonSwThermalSlowdown, SlowedBy.THERMAL),
    (pynvml.nvmlClocksEventReasonHwThermalSlowdown, SlowedBy.HARDWARE_THERMAL),
    (pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown, SlowedBy.POWER_BRAKE),
)
_ACTIONS = {
    pynvml.NVML_GPU_RECOVERY_ACTION_NONE: RecoveryAction.NONE,
    pynvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET: RecoveryAction.RESET,
    pynvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT: RecoveryAction.REBOOT,
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_P2P: RecoveryAction.DRAIN_PEERS,
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET: RecoveryAction.DRAIN_AND_RESET,
}


def condition(handle: object, parts: Parts) -> Condition:
    reasons = parts.ask("clock limits", _clock_limits, handle)
    return Condition(
        temperature_celsius=parts.ask(
            "temperature", pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU
        ),
        slowdown_celsius=parts.ask(
            "slowdown temperature",
            pynvml.nvmlDeviceGetTemperatureThreshold,
            handle,
            pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN,
        ),
        slowed_by=tuple(why for bit, why in _SLOWED_BY if (reasons or 0) & bit),
        recovery_action=parts.ask("recovery action", _recovery_action, handle),
        ecc=_ecc(handle, parts),
        remapped_rows=parts.ask("remapped rows", _remapped_rows, handle),
        retired_pages=parts.ask("retired pages", _retired_pages, handle),
    )


def _clock_limits(handle: object) -> int:
    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except pynvml.NVMLError_FunctionNotFound:  # the name before driver 535
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def _recovery_action(handle: object) -> RecoveryAction:
    (value,) = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(value.nvmlReturn)
    return _ACTIONS.get(value.value.uiVal, RecoveryAction.OTHER)


def _ecc(handle: object, parts: Parts) -> Ecc | None:
    mode = parts.ask("ECC mode", pynvml.nvmlDeviceGetEccMode, handle)
    if mode is None:
        return None
    return Ecc(
        enabled=bool(mode[0]),
        pending=bool(mode[1]),
        volatile_corrected=_errors(handle, parts, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        volatile_uncorrected=_errors(handle, parts, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
    )


def _errors(handle: object, parts: Parts, kind: int) -> int | None:
    call = pynvml.nvmlDeviceGetTotalEccErrors
    return parts.ask("ECC errors", call, handle, kind, pynvml.NVML_VOLATILE_ECC)


def _remapped_rows(handle: object) -> RemappedRows:
    correctable, uncorrectable, pending, failed = pynvml.nvmlDeviceGetRemappedRows(handle)
    return RemappedRows(
        correctable=correctable, uncorrectable=uncorrectable, pending=bool(pending), failed=bool(failed)
    )


def _retired_pages(handle: Any) -> RetiredPages:
    single, double = (
        len(pynvml.nvmlDeviceGetRetiredPages(handle, cause))
        for cause in (
            pynvml.NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS,
            pynvml.NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR,
        )
    )
    pending = pynvml.nvmlDeviceGetRetiredPagesPendingStatus(handle)
    return RetiredPages(single_bit=single, double_bit=double, pending=bool(pending))
