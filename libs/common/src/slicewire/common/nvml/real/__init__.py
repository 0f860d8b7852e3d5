"""The real room: nothing outside this package imports `pynvml`. It reads and never interprets."""

from slicewire.common.nvml.real.room import RealNvml

__all__ = ["RealNvml"]
