"""The one place a device gets its name: discovery publishes it, node-prep looks it up.

The names are those of NVIDIA's DRA driver (`gpu-<number>`, `gpu-<number>-mig-<profile>-<id>-<start>`,
`gpu-vfio-<number>`), so that exporters that map (pool, device) to a UUID go on working. A GPU's number
is its minor number when it is first seen, and stays when that changes: where a device is, its UUID or
its place on the bus says, never its name.
"""

from __future__ import annotations

import re

import msgspec

from slicewire.common.model.ids import DeviceName, DriverName

NVIDIA_DRIVER = DriverName("gpu.nvidia.com")
_NUMBER = r"(0|[1-9]\d*)"
_GPU = re.compile(rf"gpu-{_NUMBER}", re.ASCII)
_MIG = re.compile(rf"gpu-{_NUMBER}-mig-([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-{_NUMBER}-{_NUMBER}", re.ASCII)
_VFIO = re.compile(rf"gpu-vfio-{_NUMBER}", re.ASCII)
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9-]")


class GpuName(msgspec.Struct, frozen=True):
    """A whole GPU."""

    number: int


class MigName(msgspec.Struct, frozen=True):
    """A partition of a GPU: of which one, of which NVML profile, from which memory slice on."""

    number: int
    profile_id: int
    start: int


class VfioName(msgspec.Struct, frozen=True):
    """A whole GPU as a PCI device for a virtual machine."""

    number: int


def gpu_name(number: int) -> DeviceName:
    return DeviceName(f"gpu-{number}")


def mig_name(number: int, profile: str, profile_id: int, start: int) -> DeviceName:
    """`1g.10gb+me`, 20, at 3 of gpu-0: `gpu-0-mig-1g10gb-me-20-3`."""
    plain = _NOT_IN_A_NAME.sub("-", profile.lower().replace(".", "")).strip("-")
    return DeviceName(f"{gpu_name(number)}-mig-{plain}-{profile_id}-{start}")


def vfio_name(number: int) -> DeviceName:
    return DeviceName(f"gpu-vfio-{number}")


def counter_set_name(number: int) -> str:
    """Of the counters that the devices of one GPU draw from."""
    return f"{gpu_name(number)}-counter-set"


def parsed(name: str) -> GpuName | MigName | VfioName | None:
    """What a name says; None for a device that is not named so."""
    if match := _GPU.fullmatch(name):
        return GpuName(int(match[1]))
    if match := _VFIO.fullmatch(name):
        return VfioName(int(match[1]))
    if match := _MIG.fullmatch(name):
        return MigName(int(match[1]), profile_id=int(match[3]), start=int(match[4]))
    return None


def gpu_minor(name: DeviceName) -> int | None:
    """The number in a full GPU's name; None for any other device."""
    match parsed(name):
        case GpuName(number):
            return number
        case _:
            return None
