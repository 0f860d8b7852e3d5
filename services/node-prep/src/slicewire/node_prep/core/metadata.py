"""What a container may read of its devices: Kubernetes' device metadata files (KEP-5304), as values.

For each request of a claim one file, which says what was published of the devices that were given for it,
and one CDI spec that mounts it. The formats are those of Kubernetes' library for DRA drivers, so that what
reads them (KubeVirt, for one) cannot tell who wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from slicewire.common.model import ClaimUID, DeviceName, DriverName, wire
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.cdi import CdiDevice, CdiMount, ContainerEdits, encode, plain, spec_of
from slicewire.node_prep.core.described import Described, DescribedDevice, GivenDevice
from slicewire.node_prep.core.node import Claim

FOLDER = "dra-device-metadata"
"""Below the plugin's data directory."""
FILE = "metadata.json"
_VERSIONS = ("metadata.resource.k8s.io/v1alpha1",)
"""Newest first: the file has the same in each, and a reader takes the first that it knows."""
_IN_CONTAINER = "/var/run/kubernetes.io/dra-device-attributes"
_MOUNT_OPTIONS = ("ro", "bind")


class MetadataFile(msgspec.Struct, frozen=True):
    """`path` is below the plugin's data directory; `content` is whole but for its generation."""

    request: str
    path: str
    content: DeviceMetadata


class ClaimMeta(Object, frozen=True):
    name: str
    namespace: str
    uid: ClaimUID
    generation: int = 1


class DescribedRequest(Object, frozen=True):
    name: str
    devices: tuple[DescribedDevice, ...] = ()


class DeviceMetadata(Object, frozen=True):
    metadata: ClaimMeta
    requests: tuple[DescribedRequest, ...]
    pod_claim_name: str = ""


def files_of(described: Described) -> tuple[MetadataFile, ...]:
    """None for a claim that is known by its UID only: the container's path has its name."""
    claim = described.claim
    if not (claim.name and claim.namespace):
        return ()
    meta = ClaimMeta(name=claim.name, namespace=claim.namespace, uid=claim.uid)
    return tuple(
        MetadataFile(
            request,
            f"{folder_of(claim)}/{plain(request)}/{FILE}",
            DeviceMetadata(
                metadata=meta,
                requests=_requests(request, described.devices),
                pod_claim_name=described.pod_claim_name,
            ),
        )
        for request in requests_of(described.devices)
    )


def folder_of(claim: Claim) -> str:
    """Of all files of a claim of this name, below the plugin's data directory."""
    return f"{FOLDER}/{plain(claim.namespace)}_{plain(claim.name)}"


def requests_of(devices: Iterable[GivenDevice]) -> tuple[str, ...]:
    """An alternative that was chosen is known to the pod by the name of its request."""
    return tuple(dict.fromkeys(_base(name) for device in devices for name in device.request_names))


def encoded(content: DeviceMetadata, generation: int) -> bytes:
    """One JSON object a line, and each says the same."""
    said = {**wire.to_builtins(content), "kind": "DeviceMetadata"}
    said["metadata"]["generation"] = generation
    return b"".join(wire.encode({**said, "apiVersion": version}) + b"\n" for version in _VERSIONS)


def decoded(data: bytes) -> DeviceMetadata | None:
    """What a file of ours says; None for one that is not."""
    try:
        return wire.decode(data.partition(b"\n")[0], DeviceMetadata)
    except wire.Malformed:
        return None


def cdi_id(driver: DriverName, claim: ClaimUID, request: str) -> str:
    return f"{_kind(driver)}={_cdi_name(claim, request)}"


def cdi_ids(described: Described) -> dict[DeviceName, tuple[str, ...]]:
    """What each device brings along: a request's file comes with its first device."""
    found: dict[DeviceName, tuple[str, ...]] = {}
    claim, driver = described.claim, described.driver
    for file in files_of(described):
        first = next(
            device.described.name
            for device in described.devices
            if file.request in map(_base, device.request_names)
        )
        found[first] = (*found.get(first, ()), cdi_id(driver, claim.uid, file.request))
    return found


def cdi_file_name(driver: DriverName, claim: ClaimUID, request: str) -> str:
    return f"{_cdi_prefix(driver, claim)}{plain(request)}.json"


def cdi_files_among(names: Iterable[str], driver: DriverName, claim: ClaimUID) -> tuple[str, ...]:
    """Those that mount files of this claim."""
    prefix = _cdi_prefix(driver, claim)
    return tuple(name for name in names if name.startswith(prefix) and name.endswith(".json"))


def cdi_spec(described: Described, request: str, host_path: str) -> bytes:
    """Mounts the file at `host_path` where the pod looks for it."""
    mount = CdiMount(
        host_path=host_path, container_path=container_path(described, request), options=_MOUNT_OPTIONS
    )
    device = CdiDevice(
        name=_cdi_name(described.claim.uid, request), container_edits=ContainerEdits(mounts=(mount,))
    )
    return encode(spec_of(_kind(described.driver), (device,)))


def container_path(described: Described, request: str) -> str:
    """A pod knows a claim from a template by its own name for it: the claim's is made up."""
    of_template = described.pod_claim_name
    kind = "resourceclaimtemplates" if of_template else "resourceclaims"
    name = of_template or described.claim.name
    return "/".join(
        (_IN_CONTAINER, kind, plain(name), plain(request), f"{plain(described.driver)}-metadata.json")
    )


def _requests(request: str, devices: Sequence[GivenDevice]) -> tuple[DescribedRequest, ...]:
    by_name: dict[str, list[DescribedDevice]] = {}
    for device in devices:
        for name in device.request_names:
            if _base(name) == request:
                by_name.setdefault(name, []).append(device.described)
    return tuple(DescribedRequest(name=name, devices=tuple(given)) for name, given in by_name.items())


def _base(request_name: str) -> str:
    return request_name.partition("/")[0]


def _kind(driver: DriverName) -> str:
    return f"{driver}/metadata"


def _cdi_name(claim: ClaimUID, request: str) -> str:
    return f"{plain(claim)}_{plain(request)}"


def _cdi_prefix(driver: DriverName, claim: ClaimUID) -> str:
    return f"{plain(driver)}_metadata_{plain(claim)}_"
