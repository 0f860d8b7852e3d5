"""What NVIDIA's own DRA driver wrote down of its claims, as values: a claim's CDI file, and its checkpoint.

A node that changes from it to us has containers that run by these files. They are only ever read: what is in
them is theirs, and counts for the boot of the machine on which they wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from slicewire.common.model import ClaimUID, DeviceName, ResourceClaimStatus, wire
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.model.struct import Object

_CDI_FILE = re.compile(r"k8s\.gpu\.nvidia\.com-claim_(?P<claim>[A-Za-z0-9.-]+)\.yaml")
_DEVICE = r"^[- ] name: [\"']?{claim}-(?P<device>[A-Za-z0-9.-]+)[\"']?$"


class Left(msgspec.Struct, frozen=True):
    """The claims of a checkpoint and their devices; `boot` is empty where it does not say."""

    claims: Mapping[ClaimUID, tuple[DeviceName, ...]]
    boot: str = ""


class _Device(Object, frozen=True):
    name: str = msgspec.field(default="", name="DeviceName")


class _Prepared(Object, frozen=True):
    device: _Device = _Device()


class _Group(Object, frozen=True):
    devices: tuple[dict[str, _Prepared | None], ...] = ()


class _Claim(Object, frozen=True):
    status: ResourceClaimStatus = ResourceClaimStatus()
    prepared_devices: tuple[_Group, ...] | None = None


class _Version(Object, frozen=True):
    prepared_claims: dict[str, _Claim] | None = None
    boot: str = msgspec.field(default="", name="nodeBootID")


class _File(Object, frozen=True):
    checksum: int
    v1: _Version | None = None
    v2: _Version | None = None


def file_name(claim: ClaimUID) -> str:
    """Of its CDI file, in the folder in which ours are."""
    return f"k8s.gpu.nvidia.com-claim_{claim}.yaml"


def claim_of(name: str) -> ClaimUID | None:
    """The claim of a CDI file of theirs; None for any other file."""
    found = _CDI_FILE.fullmatch(name)
    return ClaimUID(found["claim"]) if found else None


def devices_in(claim: ClaimUID, data: bytes) -> tuple[DeviceName, ...]:
    """Those of its CDI file, which is YAML as Go writes it: a device has its name on a line of its own."""
    device = re.compile(_DEVICE.format(claim=re.escape(claim)), re.MULTILINE)
    return tuple(DeviceName(one["device"]) for one in device.finditer(data.decode(errors="replace")))


def left(data: bytes) -> Left | None:
    """What their checkpoint says; None for a file that is not theirs. The second form has all that the first
    has, which is written beside it for versions that know no other."""
    try:
        file = wire.decode(data, _File)
    except wire.Malformed:
        return None
    known = file.v2 or file.v1
    if known is None:
        return None
    claims = {ClaimUID(uid): _devices(claim) for uid, claim in (known.prepared_claims or {}).items()}
    return Left(claims, known.boot)


def _devices(claim: _Claim) -> tuple[DeviceName, ...]:
    """Those that were prepared, or, of a claim that was only begun, allocated."""
    prepared = [
        DeviceName(made.device.name)
        for group in claim.prepared_devices or ()
        for device in group.devices
        for made in device.values()
        if made is not None and made.device.name
    ]
    given = claim.status.allocation.devices.results if claim.status.allocation else ()
    return tuple(prepared) or tuple(one.device for one in given if one.driver == NVIDIA_DRIVER)
