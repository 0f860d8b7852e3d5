"""What can befall a simulated GPU, and what makes it well again. Pure.

Each is what the real thing looks like through NVML: an event where the driver reports one, and the
readings that go with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from slicewire.common.nvml.condition import RecoveryAction, SlowedBy
from slicewire.common.nvml.facts import EventKind
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import BadState, NodeState

LOST = "GPU is lost"
"""NVML's text for a GPU that fell off the bus."""
_NEEDS_RESET = frozenset({48, 64, 74, 79, 95, 119, 120, 140})
"""XIDs after which NVIDIA's catalogue asks for a reset of the GPU."""
_XID = re.compile(r"xid=(\d{1,4})")
_XID_DOUBLE_BIT = 48
_XID_ROW_REMAPPED = 63
_XID_REMAP_FAILED = 64


def befallen(state: NodeState, minor: int, fault: str) -> NodeState:
    """`fault` is a word of `WORDS`, or `xid=79`. Raises `BadState`."""
    if any(gpu.model not in MODELS for gpu in state.gpus if gpu.minor == minor):
        raise BadState(f"GPU {minor}: model {state.gpu(minor).model!r} cannot be simulated")
    if match := _XID.fullmatch(fault):
        return _xid(state, minor, int(match[1]))
    if fault not in _FAULTS:
        raise BadState(f"fault {fault!r} cannot be simulated; there are xid=<number>, {', '.join(_FAULTS)}")
    return _FAULTS[fault](state, minor)


def _xid(state: NodeState, minor: int, code: int) -> NodeState:
    """The driver reports it; that the GPU is lost is a fault of its own."""
    if code in _NEEDS_RESET:
        state = state.with_changed(minor, recovery_action=RecoveryAction.RESET)
    return state.with_xid(minor, code)


def _lost(state: NodeState, minor: int) -> NodeState:
    return state.with_fault(minor, LOST)


def _ecc(state: NodeState, minor: int) -> NodeState:
    """An error in memory that could not be corrected."""
    gpu = state.gpu(minor)
    hurt = state.with_changed(
        minor,
        uncorrected_errors=gpu.uncorrected_errors + 1,
        remap_pending=MODELS[gpu.model].remaps_rows,
        recovery_action=RecoveryAction.RESET,
    )
    return hurt.with_event(minor, EventKind.MEMORY_ERROR).with_xid(minor, _XID_DOUBLE_BIT)


def _remap(state: NodeState, minor: int) -> NodeState:
    """A row of memory is to be replaced by a spare one at the next reset."""
    _with_rows(state, minor)
    return state.with_changed(minor, remap_pending=True).with_xid(minor, _XID_ROW_REMAPPED)


def _remap_failed(state: NodeState, minor: int) -> NodeState:
    """No spare row was left."""
    _with_rows(state, minor)
    return state.with_changed(minor, remap_failed=True).with_xid(minor, _XID_REMAP_FAILED)


def _with_rows(state: NodeState, minor: int) -> None:
    model = MODELS[state.gpu(minor).model]
    if not model.remaps_rows:
        raise BadState(f"{model.product_name} has no spare rows of memory to remap")


def _thermal(state: NodeState, minor: int) -> NodeState:
    """Too hot: the hardware slows it down."""
    return state.with_changed(
        minor,
        temperature_celsius=MODELS[state.gpu(minor).model].slowdown_celsius + 1,
        slowed_by=(SlowedBy.HARDWARE_THERMAL,),
    )


def _recover(state: NodeState, minor: int) -> NodeState:
    """Well again, as if nothing had been; how it is cut and who uses it stays."""
    return state.with_changed(
        minor,
        fault="",
        temperature_celsius=34,
        slowed_by=(),
        recovery_action=RecoveryAction.NONE,
        uncorrected_errors=0,
        remapped_rows=0,
        remap_pending=False,
        remap_failed=False,
    )


def _reset(state: NodeState, minor: int) -> NodeState:
    """A noted MIG mode and noted rows come true; instances and processes are gone."""
    gpu = state.gpu(minor)
    fresh = _recover(state, minor)
    return fresh.with_changed(
        minor,
        mig_enabled=gpu.mig_enabled if gpu.mig_pending is None else gpu.mig_pending,
        mig_pending=None,
        instances=(),
        processes=(),
        remapped_rows=gpu.remapped_rows + gpu.remap_pending,
        remap_failed=gpu.remap_failed,
    )


def _remove(state: NodeState, minor: int) -> NodeState:
    return state.without_gpu(minor)


def _add(state: NodeState, minor: int) -> NodeState:
    return state.with_gpu(minor)


def _driver_away(state: NodeState, minor: int) -> NodeState:
    """Of the whole node: the driver is unloaded, and nobody is left who used it."""
    state.gpu(minor)
    idle = tuple(msgspec.structs.replace(gpu, processes=()) for gpu in state.gpus)
    return msgspec.structs.replace(state, gpus=idle).with_driver(absent="Driver Not Loaded")


def _driver_back(state: NodeState, minor: int) -> NodeState:
    state.gpu(minor)
    return state.with_driver()


_FAULTS: Mapping[str, Callable[[NodeState, int], NodeState]] = {
    "lost": _lost,
    "ecc": _ecc,
    "remap": _remap,
    "remap-failed": _remap_failed,
    "thermal": _thermal,
    "recover": _recover,
    "reset": _reset,
    "remove": _remove,
    "add": _add,
    "driver-away": _driver_away,
    "driver-back": _driver_back,
}
WORDS = tuple(_FAULTS)
