"""The simulated room: a node's GPUs in one locked file, as NVML and the kernel would show them."""

from slicewire.common.nvml.simulated.room import SimulatedNvml

__all__ = ["SimulatedNvml"]
