"""The names by which a container runtime finds what a claim was given.

A name from outside (of a claim, a request, a device) is never trusted to be a name that a file or a CDI
device can have: `plain` makes it one, and different names stay different.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from slicewire.common.model import ClaimUID, DeviceName

KIND = "k8s.gpu.nvidia.com/claim"
_FILE_PREFIX = KIND.replace("/", "-") + "_"
_FILE_SUFFIX = ".json"
_PLAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]|\.(?!\.))*(?<![.-])", re.ASCII)
"""What Kubernetes lets a name be, and every path and CDI name may have in it."""
_LONGEST = 128
"""Two of them and what we put around fit in one file name, which may have 255 bytes."""
_LONGEST_SPELT = 48
_SPELT = re.compile(r"hex_((?:[0-9a-f]{2})+)")


def plain(name: str) -> str:
    """The name where it is harmless, else its bytes spelt out, else (too long) its hash. No harmless name
    has a `_` in it, so that none is taken for another."""
    if len(name) <= _LONGEST and _PLAIN.fullmatch(name):
        return name
    data = name.encode("utf-8", "surrogatepass")
    if 0 < len(data) <= _LONGEST_SPELT:
        return f"hex_{data.hex()}"
    return f"sha256_{sha256(data).hexdigest()}"


def device_name(claim: ClaimUID, device: DeviceName) -> str:
    """The claim's UID is in it because runtimes cache: a name must never mean something else."""
    return f"{plain(claim)}-{plain(device)}"


def device_id(claim: ClaimUID, device: DeviceName) -> str:
    """What the kubelet hands to the runtime, which finds the device in the spec by it."""
    return f"{KIND}={device_name(claim, device)}"


def file_name(claim: ClaimUID) -> str:
    return f"{_FILE_PREFIX}{plain(claim)}{_FILE_SUFFIX}"


def claim_of(name: str) -> ClaimUID | None:
    """The claim of a file of ours; None for any other file."""
    if not (name.startswith(_FILE_PREFIX) and name.endswith(_FILE_SUFFIX)):
        return None
    claim = ClaimUID(_unspelt(name.removeprefix(_FILE_PREFIX).removesuffix(_FILE_SUFFIX)))
    return claim if file_name(claim) == name else None


def strays(claims: Iterable[ClaimUID], present: Iterable[str]) -> frozenset[ClaimUID]:
    """The claims that have a file and should have none."""
    return frozenset(uid for uid in map(claim_of, present) if uid is not None) - frozenset(claims)


def _unspelt(text: str) -> str:
    spelt = _SPELT.fullmatch(text)
    return bytes.fromhex(spelt[1]).decode("utf-8", "surrogateescape") if spelt else text
