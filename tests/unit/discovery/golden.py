"""What NVIDIA's driver published of simulated nodes, and the same nodes as NVML would tell them to us.

Names, attributes, types, capacities, counters and layout of the reference slices are to be equalled; their
UUIDs are a node's own, and their amounts of memory and multiprocessors another simulation's. So they are
put into the facts, and must come out where they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from slicewire.common.model import Device, ResourceSlice, wire
from slicewire.common.model.naming import MigName, gpu_name, parsed
from slicewire.common.nvml.facts import GpuFacts
from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance, Mig, MigProfile, Placement

FOLDER = Path(__file__).parents[4] / "shared" / "nvidia-slices"


def slices(name: str) -> tuple[ResourceSlice, ...]:
    file = FOLDER / f"{name}.json"
    if not file.exists():
        pytest.skip(f"the reference slices are not here: {file}")
    return tuple(wire.convert(item, ResourceSlice) for item in json.loads(file.read_text())["items"])


def as_in(reference: tuple[Device, ...], gpu: GpuFacts) -> GpuFacts:
    """This GPU with the UUIDs, amounts and partitions of the reference."""
    whole = next((d for d in reference if d.name == gpu_name(gpu.minor)), None)
    parts = [(name, d) for d in reference if isinstance(name := parsed(d.name), MigName)]
    mine = [(name, d) for name, d in parts if name.number == gpu.minor]
    made = tuple(_instances(mine))
    assert gpu.mig is not None
    mig = Mig(enabled=bool(made), pending=bool(made), instances=made)
    profiles = tuple(_profiles(gpu.mig, parts))
    memory = int(whole.capacity["memory"].value.value) if whole else gpu.memory_bytes
    return msgspec.structs.replace(
        gpu, uuid=_uuid(whole, mine), memory_bytes=memory, mig=msgspec.structs.replace(mig, profiles=profiles)
    )


def _uuid(whole: Device | None, parts: list[tuple[MigName, Device]]) -> str:
    """Of the GPU, by itself or by its partitions."""
    if whole is not None:
        return whole.attributes["uuid"].string or ""
    return parts[0][1].attributes["parentUUID"].string or ""


def _profiles(ours: Mig, parts: list[tuple[MigName, Device]]) -> Iterator[MigProfile]:
    for profile in ours.profiles:
        made_of = next((device for name, device in parts if name.profile_id == profile.id), None)
        if made_of is None:
            continue
        amounts = {name: int(one.value.value) for name, one in made_of.capacity.items()}
        yield msgspec.structs.replace(
            profile,
            memory_mib=amounts["memory"] // 1024**2,
            multiprocessors=amounts["multiprocessors"],
            copy_engines=amounts["copyEngines"],
            decoders=amounts["decoders"],
            encoders=amounts["encoders"],
            jpeg_engines=amounts["jpegEngines"],
            ofa_engines=amounts["ofaEngines"],
        )


def _instances(parts: list[tuple[MigName, Device]]) -> Iterator[GpuInstance]:
    """Of partitions with a UUID: only those exist."""
    for number, (name, device) in enumerate(parts):
        if "uuid" not in device.attributes:
            continue
        size = sum(key.startswith("memorySlice") for key in device.capacity)
        uuid = device.attributes["uuid"].string or ""
        yield GpuInstance(
            id=number,
            profile_id=name.profile_id,
            placement=Placement(name.start, size),
            compute_instances=(ComputeInstance(id=0, profile_id=0, uuid=uuid),),
        )


def as_nvidia_has_it(device: Device) -> Device:
    """Without what only Slicewire tells."""
    theirs = {k: v for k, v in device.attributes.items() if not k.startswith("slicewire.dev/")}
    return msgspec.structs.replace(device, attributes=theirs)


def without_amounts(device: Device) -> object:
    """Names and types alone: what two simulations of one machine must have in common."""
    plain = wire.to_builtins(as_nvidia_has_it(device))
    for name in ("uuid", "parentUUID"):
        if name in plain["attributes"]:
            plain["attributes"][name] = {"string": "a UUID"}
    for capacity in plain["capacity"].values():
        capacity.pop("value")
        capacity.get("requestPolicy", {}).pop("default", None)
        capacity.get("requestPolicy", {}).get("validRange", {}).pop("max", None)
    for taken in plain.get("consumesCounters", ()):
        taken["counters"] = sorted(taken["counters"])
    return plain
