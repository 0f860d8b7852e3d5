"""What a GPU is wired to: NVLinks, and the fabric beyond its node."""

from __future__ import annotations

import ctypes
import uuid
from typing import Any

import pynvml

from slicewire.common.nvml.facts import Fabric, FabricState, NvLink, PeerKind
from slicewire.common.nvml.real.asking import Failed, ask_if_there_is, do, text, text_of
from slicewire.common.nvml.refusal import NvmlCode

_VERSIONS = {
    pynvml.NVML_NVLINK_VERSION_1_0: "1.0",
    pynvml.NVML_NVLINK_VERSION_2_0: "2.0",
    pynvml.NVML_NVLINK_VERSION_2_2: "2.2",
    pynvml.NVML_NVLINK_VERSION_3_0: "3.0",
    pynvml.NVML_NVLINK_VERSION_3_1: "3.1",
    pynvml.NVML_NVLINK_VERSION_4_0: "4.0",
    pynvml.NVML_NVLINK_VERSION_5_0: "5.0",
    pynvml.NVML_NVLINK_VERSION_6_0: "6.0",
}
_PEERS = {
    pynvml.NVML_NVLINK_DEVICE_TYPE_GPU: PeerKind.GPU,
    pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH: PeerKind.SWITCH,
}
_STATES = {
    pynvml.NVML_GPU_FABRIC_STATE_NOT_STARTED: FabricState.NOT_STARTED,
    pynvml.NVML_GPU_FABRIC_STATE_IN_PROGRESS: FabricState.IN_PROGRESS,
    pynvml.NVML_GPU_FABRIC_STATE_COMPLETED: FabricState.COMPLETED,
}
_NO_SUCH_LINK = (NvmlCode.NOT_SUPPORTED, NvmlCode.INVALID_ARGUMENT)


def links(handle: object) -> tuple[NvLink, ...]:
    """The active ones. Raises `Failed`, as an `NVMLError` would be."""
    found = []
    for number in range(pynvml.NVML_NVLINK_MAX_LINKS):
        try:
            state = do(pynvml.nvmlDeviceGetNvLinkState, handle, number)
        except Failed as failed:
            if failed.code in _NO_SUCH_LINK:
                break
            raise
        if state == pynvml.NVML_FEATURE_ENABLED:
            found.append(_link(handle, number))
    return tuple(found)


def _link(handle: object, number: int) -> NvLink:
    version = ask_if_there_is("NVLink version", pynvml.nvmlDeviceGetNvLinkVersion, handle, number)
    kind = ask_if_there_is("NVLink peer", pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, number)
    peer = ask_if_there_is("NVLink peer's place", pynvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, number)
    return NvLink(
        link=number,
        version="" if version is None else _VERSIONS.get(version, ""),
        peer=PeerKind.OTHER if kind is None else _PEERS.get(kind, PeerKind.OTHER),
        peer_pci_bus_id="" if peer is None else text(peer.busId),
    )


def fabric(handle: object) -> Fabric | None:
    """None where the GPU has none. Raises `Failed`."""
    told = ask_if_there_is("fabric", _fabric_info, handle)
    if told is None:
        told = ask_if_there_is("fabric", _fabric_info_of_old_drivers, handle)
    state = None if told is None else _STATES.get(told.state)
    if told is None or state is None:
        return None
    cluster = uuid.UUID(bytes=bytes(told.clusterUuid))
    return Fabric(
        state=state,
        status=text_of(told.status) if told.status != pynvml.NVML_SUCCESS else "",
        cluster_uuid=str(cluster) if cluster.int else "",
        clique_id=told.cliqueId,
    )


def _fabric_info(handle: object) -> Any:
    info = pynvml.c_nvmlGpuFabricInfo_v3_t()
    pynvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    return info


def _fabric_info_of_old_drivers(handle: object) -> Any:
    info = pynvml.c_nvmlGpuFabricInfo_t()
    pynvml.nvmlDeviceGetGpuFabricInfo(handle, ctypes.byref(info))
    return info
