"""Facts of a node, with only what a test is about spelled out."""

from __future__ import annotations

import msgspec

from slicewire.common.model import Device
from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.partitions import (
    ComputeInstance,
    ComputeProfile,
    GpuInstance,
    Mig,
    MigProfile,
    Placement,
)
from slicewire.discovery.core.inventory import Inventory, Look, inventory
from slicewire.discovery.core.names import Names
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.core.policy import Choice, DeviceType, NodePolicy, Partitions

BUSES = ("1a", "1b", "4a", "4b")
GPU, MIG, VFIO = DeviceType
WHOLE_GPUS = Choice()
NO_NAMES = Names()
DYNAMIC = Choice(partitions=Partitions.DYNAMIC)
WHOLE = ComputeProfile(id=0, slices=1, multiprocessors=16, most_instances=1)


def a_gpu(minor: int = 0, **known: object) -> GpuFacts:
    gpu = GpuFacts(
        minor=minor,
        uuid=f"GPU-{minor}",
        pci_bus_id=f"00000000:{BUSES[minor % 4].upper()}:00.0",
        product_name="NVIDIA H100 80GB HBM3",
        brand="Nvidia",
        architecture="Hopper",
        cuda_compute_capability="9.0",
        memory_bytes=80 * 1024**3,
    )
    return msgspec.structs.replace(gpu, **known)


def a_profile(profile_id: int, name: str, starts: tuple[int, ...], size: int) -> MigProfile:
    """Of a GPU with `size` tenths of everything in each memory slice."""
    return MigProfile(
        id=profile_id,
        name=name,
        slices=size,
        memory_mib=size * 10240,
        multiprocessors=size * 16,
        copy_engines=size,
        decoders=size,
        encoders=0,
        jpeg_engines=size,
        ofa_engines=0,
        most_instances=len(starts),
        placements=tuple(Placement(start, size) for start in starts),
    )


PROFILES = (a_profile(0, "4g.40gb", (0,), 4), a_profile(19, "1g.10gb", (0, 1, 2, 3), 1))


def a_mig(*instances: GpuInstance, enabled: bool = False, pending: bool | None = None) -> Mig:
    then = enabled if pending is None else pending
    return Mig(enabled=enabled, pending=then, profiles=PROFILES, instances=instances)


def an_instance(start: int, *uuids: str, number: int = 1, profile: int = 19) -> GpuInstance:
    return GpuInstance(
        id=number,
        profile_id=profile,
        placement=Placement(start, 1),
        compute_profiles=(WHOLE,),
        compute_instances=tuple(ComputeInstance(id=n, profile_id=0, uuid=u) for n, u in enumerate(uuids)),
    )


def a_node(*gpus: GpuFacts, unseen: tuple[Unseen, ...] = (), driver_version: str = "550.163.01") -> NodeFacts:
    return NodeFacts(driver_version=driver_version, cuda_driver_version="12.4", gpus=gpus, unseen=unseen)


def a_place(bus: str = "1a", root: str = "pci0000:00", numa: str = "0", driver: str = "nvidia") -> PciGpu:
    bus_id = f"0000:{bus}:00.0"
    return PciGpu(bus_id, f"../../../devices/{root}/0000:00:01.0/{bus_id}", numa, driver, "0x2330")


def seen(
    facts: NodeFacts | NvmlAbsent,
    *places: PciGpu,
    choice: Choice = WHOLE_GPUS,
    names: Names = NO_NAMES,
    **more: object,
) -> Inventory:
    """One look, with everything offered in one way."""
    look = msgspec.structs.replace(Look(facts=facts, on_the_bus=places), **more)
    return inventory(look, NodePolicy(default=choice), names)


def names_of(found: Inventory) -> list[str]:
    return [device.name for device in found.devices]


def remarks(found: Inventory) -> list[tuple[str, str]]:
    return [(one.what, one.reason) for one in found.unseen]


def the(found: Inventory, name: str) -> Device:
    return next(device for device in found.devices if device.name == name)


def values(device: Device) -> dict[str, object]:
    """The attributes, without their types."""
    plain = msgspec.to_builtins(device.attributes)
    return {name: next(iter(value.values())) for name, value in plain.items()}
