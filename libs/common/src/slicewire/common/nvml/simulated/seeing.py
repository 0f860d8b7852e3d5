"""A simulated GPU as NVML would tell it. Pure."""

from __future__ import annotations

from functools import lru_cache

from slicewire.common.nvml.condition import Condition, Ecc, RemappedRows, RetiredPages
from slicewire.common.nvml.facts import Fabric, FabricState, GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.partitions import Mig
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.common.nvml.simulated.board import links, module
from slicewire.common.nvml.simulated.cutting import filled
from slicewire.common.nvml.simulated.faults import LOST
from slicewire.common.nvml.simulated.profiles import MODELS, Model
from slicewire.common.nvml.simulated.state import NVIDIA, NodeState, SimulatedGpu

_FabricOf = tuple[str, int]
"""Of a node: the UUID of its cluster, and its clique there."""
_REMEMBERED = 64
"""GPUs, as they were when looked at: most of them are as they were."""


def seen(state: NodeState) -> NodeFacts | NvmlAbsent:
    if state.absent:
        return NvmlAbsent(state.absent)
    fabric = (state.cluster_uuid, state.clique_id)
    found = tuple(_seen(fabric, gpu) for gpu in state.gpus if gpu.kernel_driver == NVIDIA)
    return NodeFacts(
        driver_version=state.driver_version,
        cuda_driver_version=state.cuda_driver_version,
        gpus=tuple(one for one in found if isinstance(one, GpuFacts)),
        unseen=tuple(one for one in found if isinstance(one, Unseen)),
    )


@lru_cache(_REMEMBERED)
def _seen(fabric: _FabricOf, gpu: SimulatedGpu) -> GpuFacts | Unseen:
    bus_id = _as_nvml_writes(gpu.pci_bus_id)
    if gpu.fault:
        return Unseen(f"GPU {gpu.minor}", gpu.fault, bus_id, code_of(gpu.fault))
    model = MODELS.get(gpu.model)
    if model is None:
        return Unseen(f"GPU {gpu.minor}", f"model {gpu.model!r} cannot be simulated", bus_id)
    return GpuFacts(
        minor=gpu.minor,
        uuid=gpu.uuid,
        pci_bus_id=bus_id,
        product_name=model.product_name,
        brand=model.brand,
        architecture=model.architecture,
        cuda_compute_capability=model.cuda_compute_capability,
        memory_bytes=model.memory_bytes,
        addressing_mode=model.addressing_mode,
        mig=_mig(gpu, model),
        pci_device_id=model.pci_device_id,
        module_id=module(gpu.model, gpu.minor),
        compute_mode=gpu.compute_mode,
        time_slice=gpu.time_slice,
        persistence=gpu.persistence,
        power_limit_milliwatts=model.power_limit_milliwatts,
        links=links(gpu.model, gpu.pci_bus_id),
        fabric=_fabric(fabric, gpu, model),
        condition=_condition(gpu, model),
    )


def code_of(fault: str) -> NvmlCode:
    return NvmlCode.LOST if fault == LOST else NvmlCode.UNKNOWN


def _mig(gpu: SimulatedGpu, model: Model) -> Mig | None:
    if not model.can_be_cut:
        return None
    return Mig(
        enabled=gpu.mig_enabled,
        pending=gpu.mig_enabled if gpu.mig_pending is None else gpu.mig_pending,
        profiles=model.mig_profiles,
        instances=tuple(filled(gpu, instance) for instance in gpu.instances),
    )


def _fabric(fabric: _FabricOf, gpu: SimulatedGpu, model: Model) -> Fabric | None:
    if not model.has_fabric:
        return None
    if gpu.fabric_state is not FabricState.COMPLETED:
        return Fabric(state=gpu.fabric_state)
    cluster_uuid, clique_id = fabric
    return Fabric(state=gpu.fabric_state, cluster_uuid=cluster_uuid, clique_id=clique_id)


def _condition(gpu: SimulatedGpu, model: Model) -> Condition:
    rows = RemappedRows(
        correctable=0, uncorrectable=gpu.remapped_rows, pending=gpu.remap_pending, failed=gpu.remap_failed
    )
    return Condition(
        temperature_celsius=gpu.temperature_celsius,
        slowdown_celsius=model.slowdown_celsius,
        slowed_by=gpu.slowed_by,
        recovery_action=gpu.recovery_action,
        ecc=Ecc(
            enabled=True, pending=True, volatile_corrected=0, volatile_uncorrected=gpu.uncorrected_errors
        ),
        remapped_rows=rows if model.remaps_rows else None,
        retired_pages=None if model.remaps_rows else RetiredPages(single_bit=0, double_bit=0, pending=False),
    )


def _as_nvml_writes(bus_id: str) -> str:
    return f"0000{bus_id.upper()}"
