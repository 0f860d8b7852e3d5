"""What NVML says of a GPU that can be cut into instances (MIG). Pure; nothing is interpreted here.

A GPU instance owns memory and engines at a placement; a compute instance inside it is what a
workload gets, and has the `MIG-…` UUID.
"""

from __future__ import annotations

import msgspec


class Placement(msgspec.Struct, frozen=True, order=True):
    """The memory slices `start` to `start + size - 1`."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The first memory slice behind it."""
        return self.start + self.size

    def overlaps(self, other: Placement) -> bool:
        return self.start < other.end and other.start < self.end


class MigProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of GPU instance that this GPU can be cut into."""

    id: int
    """NVML's GPU instance profile id, the 19 of `gpu-0-mig-1g10gb-19-0`."""
    name: str
    """`1g.10gb`, `1g.10gb+me`."""
    slices: int
    """Compute slices, the `1` of `1g`."""
    memory_mib: int
    multiprocessors: int
    copy_engines: int
    decoders: int
    encoders: int
    jpeg_engines: int
    ofa_engines: int
    most_instances: int
    placements: tuple[Placement, ...] = ()
    """Everywhere it may begin on an empty GPU; empty where this driver says so only in MIG mode."""


class ComputeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of compute instance in a GPU instance."""

    id: int
    slices: int
    multiprocessors: int
    most_instances: int


class ComputeInstance(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    id: int
    profile_id: int
    uuid: str
    """`MIG-…`."""


class GpuInstance(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A GPU instance that exists. Without compute instances it is of no use to anybody yet."""

    id: int
    profile_id: int
    placement: Placement
    compute_profiles: tuple[ComputeProfile, ...] = ()
    compute_instances: tuple[ComputeInstance, ...] = ()

    @property
    def whole(self) -> ComputeProfile | None:
        """The compute profile that takes all of it, the only one Kubernetes is offered."""
        return max(self.compute_profiles, key=lambda profile: profile.slices, default=None)


class Mig(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU that can be cut."""

    enabled: bool
    pending: bool
    """What the mode will be after the next reset; the same as `enabled` where none is due."""
    profiles: tuple[MigProfile, ...] = ()
    """By id, so that the largest (`0`) comes first."""
    instances: tuple[GpuInstance, ...] = ()
    """By placement."""

    def profile(self, profile_id: int) -> MigProfile | None:
        return next((profile for profile in self.profiles if profile.id == profile_id), None)
