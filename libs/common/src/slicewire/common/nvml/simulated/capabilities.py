"""`/proc` of a simulated node, as far as the driver's capabilities go: who may open which instance.

A container needs the character device of a GPU instance and of its compute instance. Their minor
numbers are where the driver puts them, those of GPU 1 behind the 135 of GPU 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from slicewire.common.nvml.simulated.planting import keep_only, say
from slicewire.common.nvml.simulated.state import SimulatedGpu

_DEVICES = (
    "Character devices:\n195 nvidia\n195 nvidiactl\n236 nvidia-caps\n510 nvidia-uvm\n\nBlock devices:\n"
)
_FIRST, _PER_GPU, _PER_INSTANCE = 3, 135, 9
_ACCESS = "DeviceFileMinor: {minor}\nDeviceFileMode: 292\nDeviceFileModify: 1\n"


def plant_capabilities(proc: Path, gpus: Iterable[SimulatedGpu]) -> None:
    capabilities = proc / "driver/nvidia/capabilities"
    capabilities.mkdir(parents=True, exist_ok=True)
    say(proc / "devices", _DEVICES)
    wanted = {f"gpu{gpu.minor}": gpu for gpu in gpus}
    keep_only(capabilities, set(wanted))
    for gpu in wanted.values():
        plant_cuts(proc, gpu)


def plant_cuts(proc: Path, gpu: SimulatedGpu) -> None:
    """Of this GPU alone."""
    mig = proc / f"driver/nvidia/capabilities/gpu{gpu.minor}/mig"
    mig.mkdir(parents=True, exist_ok=True)
    keep_only(mig, {f"gi{instance.id}" for instance in gpu.instances})
    for instance in gpu.instances:
        folder = mig / f"gi{instance.id}"
        folder.mkdir(exist_ok=True)
        keep_only(folder, {"access", *(f"ci{one.id}" for one in instance.compute_instances)})
    for path, minor in _minors(gpu):
        (mig / path).parent.mkdir(exist_ok=True)
        say(mig / path, _ACCESS.format(minor=minor))


def _minors(gpu: SimulatedGpu) -> Iterator[tuple[str, int]]:
    for instance in gpu.instances:
        first = _FIRST + _PER_GPU * gpu.minor + _PER_INSTANCE * instance.id
        yield f"gi{instance.id}/access", first
        for inside in instance.compute_instances:
            yield f"gi{instance.id}/ci{inside.id}/access", first + 1 + inside.id
