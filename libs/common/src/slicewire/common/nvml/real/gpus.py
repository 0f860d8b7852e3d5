"""The facts of one GPU."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import msgspec
import pynvml

from slicewire.common.nvml.facts import ComputeMode, GpuFacts
from slicewire.common.nvml.real.asking import Parts, ask, ask_if_there_is
from slicewire.common.nvml.real.condition import condition
from slicewire.common.nvml.real.instances import mig
from slicewire.common.nvml.real.links import fabric, links

# fmt: off
_BRANDS = (
    "Unknown", "Quadro", "Tesla", "NVS", "Grid", "GeForce",
    "Titan", "NvidiaVApps", "NvidiaVPC", "NvidiaVCS", "NvidiaVWS", "NvidiaCloudGaming",
    "QuadroRTX", "NvidiaRTX", "Nvidia", "GeForceRTX", "TitanRTX",
)
# fmt: on
"""The names NVIDIA's DRA driver publishes, by NVML's number."""
_ARCHITECTURES = {
    pynvml.NVML_DEVICE_ARCH_KEPLER: "Kepler",
    pynvml.NVML_DEVICE_ARCH_MAXWELL: "Maxwell",
    pynvml.NVML_DEVICE_ARCH_PASCAL: "Pascal",
    pynvml.NVML_DEVICE_ARCH_VOLTA: "Volta",
    pynvml.NVML_DEVICE_ARCH_TURING: "Turing",
    pynvml.NVML_DEVICE_ARCH_AMPERE: "Ampere",
    pynvml.NVML_DEVICE_ARCH_ADA: "Ada Lovelace",
    pynvml.NVML_DEVICE_ARCH_HOPPER: "Hopper",
    pynvml.NVML_DEVICE_ARCH_BLACKWELL: "Blackwell",
    pynvml.NVML_DEVICE_ARCH_RUBIN: "Rubin",
}
_ADDRESSING_MODES = {
    pynvml.NVML_DEVICE_ADDRESSING_MODE_NONE: "None",
    pynvml.NVML_DEVICE_ADDRESSING_MODE_HMM: "HMM",
    pynvml.NVML_DEVICE_ADDRESSING_MODE_ATS: "ATS",
}
COMPUTE_MODES = {
    ComputeMode.DEFAULT: pynvml.NVML_COMPUTEMODE_DEFAULT,
    ComputeMode.EXCLUSIVE_THREAD: pynvml.NVML_COMPUTEMODE_EXCLUSIVE_THREAD,
    ComputeMode.PROHIBITED: pynvml.NVML_COMPUTEMODE_PROHIBITED,
    ComputeMode.EXCLUSIVE_PROCESS: pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS,
}
_COMPUTE_MODE_OF = {number: mode for mode, number in COMPUTE_MODES.items()}


def gpu_facts(handle: object, pci: Any, bus_id: str) -> GpuFacts:
    """Raises `Failed` where something cannot be read that the GPU cannot be offered without."""
    parts = Parts(bus_id)
    known = msgspec.structs.replace(
        _identity(handle, bus_id),
        mig=mig(handle, parts),
        pci_device_id=f"0x{pci.pciDeviceId >> 16:04x}",
        module_id=parts.ask("module id", _module_id, handle) or None,
        links=parts.ask("NVLinks", links, handle) or (),
        fabric=parts.ask("fabric", fabric, handle),
        condition=condition(handle, parts),
        **_settings(handle, parts),
    )
    return msgspec.structs.replace(known, unread=parts.unread)


def _identity(handle: object, bus_id: str) -> GpuFacts:
    """Raises `Failed`."""
    major, minor = ask("compute capability", pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    brand = ask("brand", pynvml.nvmlDeviceGetBrand, handle)
    architecture = ask("architecture", pynvml.nvmlDeviceGetArchitecture, handle)
    memory = ask_if_there_is("memory", pynvml.nvmlDeviceGetMemoryInfo, handle)
    return GpuFacts(
        minor=ask("minor number", pynvml.nvmlDeviceGetMinorNumber, handle),
        uuid=ask("UUID", pynvml.nvmlDeviceGetUUID, handle),
        pci_bus_id=bus_id,
        product_name=ask("name", pynvml.nvmlDeviceGetName, handle),
        brand=_BRANDS[brand] if brand < len(_BRANDS) else "Unknown",
        architecture=_ARCHITECTURES.get(architecture, "Unknown"),
        cuda_compute_capability=f"{major}.{minor}",
        memory_bytes=None if memory is None else memory.total,
    )


def _settings(handle: object, parts: Parts) -> Mapping[str, Any]:
    """What was chosen for this GPU, by a person or by the machine it is in."""
    addressing = parts.ask("addressing mode", pynvml.nvmlDeviceGetAddressingMode, handle)
    compute = parts.ask("compute mode", pynvml.nvmlDeviceGetComputeMode, handle)
    persistence = parts.ask("persistence mode", pynvml.nvmlDeviceGetPersistenceMode, handle)
    virtual = parts.ask("virtualization mode", pynvml.nvmlDeviceGetVirtualizationMode, handle)
    return {
        "addressing_mode": None if addressing is None else _ADDRESSING_MODES.get(addressing),
        "compute_mode": None if compute is None else _COMPUTE_MODE_OF.get(compute),
        "persistence": None if persistence is None else bool(persistence),
        "is_vgpu": virtual == pynvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU,
        "power_limit_milliwatts": parts.ask("power limit", pynvml.nvmlDeviceGetEnforcedPowerLimit, handle),
    }


def _module_id(handle: object) -> int:
    number = ctypes.c_uint()  # of our own: pynvml's default is one for all threads
    code = pynvml.nvmlDeviceGetModuleId(handle, ctypes.byref(number))
    if code != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(code)
    return number.value
