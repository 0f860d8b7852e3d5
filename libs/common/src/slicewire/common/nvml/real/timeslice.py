"""The time-slice of a GPU. NVML has no function for it: `nvidia-smi` is the driver's only door."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from slicewire.common.nvml.facts import TimeSlice
from slicewire.common.nvml.real.asking import Failed, code_of
from slicewire.common.nvml.refusal import NvmlCode

_NUMBERS = {TimeSlice.DEFAULT: 0, TimeSlice.SHORT: 1, TimeSlice.MEDIUM: 2, TimeSlice.LONG: 3}
_FOLDERS = ("usr/bin", "usr/local/bin", "bin", "usr/local/nvidia/bin", "opt/bin")
_PATIENCE_SECONDS = 30


def set_time_slice(driver_root: Path, library: str, gpu: str, interval: TimeSlice) -> None:
    """Raises `Failed`."""
    program = _smi(driver_root)
    command = [program, "compute-policy", "-i", gpu, "--set-timeslice", str(_NUMBERS[interval])]
    try:
        done = subprocess.run(
            command,
            env=_environment(library),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(NvmlCode.TIMEOUT, f"{program} took more than {_PATIENCE_SECONDS} s") from error
    except OSError as error:
        raise Failed(NvmlCode.DRIVER_AWAY, f"{program}: {error.strerror}") from error
    if done.returncode:  # of nvidia-smi it is NVML's own code
        said = " ".join((done.stdout + done.stderr).split()) or "it said nothing"
        raise Failed(code_of(done.returncode), f"nvidia-smi ended with {done.returncode}: {said}")


def _smi(driver_root: Path) -> str:
    for folder in _FOLDERS:
        if (program := driver_root / folder / "nvidia-smi").exists():
            return str(program)
    return str(driver_root / _FOLDERS[0] / "nvidia-smi")


def _environment(library: str) -> Mapping[str, str]:
    """A driver below a root of its own has its library where no loader looks."""
    if "/" not in library:
        return os.environ
    before = os.environ.get("LD_PRELOAD")
    return {**os.environ, "LD_PRELOAD": f"{library}:{before}" if before else library}
