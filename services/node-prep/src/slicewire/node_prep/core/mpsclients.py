"""What the containers of a claim need to use their devices through an MPS control daemon.

The paths in a container and the options are those of NVIDIA's DRA driver. Where the daemon's directories are
on the host, it is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from slicewire.common.model import DeviceName
from slicewire.node_prep.core.cdi import CdiMount, ContainerEdits
from slicewire.node_prep.core.config import MEBIBYTE
from slicewire.node_prep.core.mps import config_of
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.steps import MpsDevice, StartMps

PIPE, SHM, LOG = "pipe", "shm", "log"
"""The directories of a daemon."""
_PIPE_IN_CONTAINER = "/tmp/nvidia-mps"  # noqa: S108 - a fixed name of NVIDIA's
_SHM_IN_CONTAINER = "/dev/shm"  # noqa: S108 - where CUDA looks
_MOUNT_OPTIONS = ("rw", "nosuid", "nodev", "bind")


def edits(plan: PreparePlan, mps_root: str) -> dict[DeviceName, ContainerEdits]:
    """Of every device that has a daemon; `mps_root` holds the directories of all daemons."""
    return {
        planned.device: _edits(daemon, plan, f"{mps_root}/{daemon.daemon}")
        for daemon in plan.steps
        if isinstance(daemon, StartMps)
        for planned in plan.devices
        if config_of(planned) is not None and any(one.hardware == planned.hardware for one in daemon.devices)
    }


def _edits(daemon: StartMps, plan: PreparePlan, folder: str) -> ContainerEdits:
    limits = ",".join(_limits(daemon, plan))
    return ContainerEdits(
        env=(
            f"CUDA_MPS_PIPE_DIRECTORY={_PIPE_IN_CONTAINER}",
            *((f"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT={limits}",) if limits else ()),
        ),
        mounts=(
            _mount(f"{folder}/{SHM}", _SHM_IN_CONTAINER),
            _mount(f"{folder}/{PIPE}", _PIPE_IN_CONTAINER),
        ),
    )


def _limits(daemon: StartMps, plan: PreparePlan) -> Iterator[str]:
    """Of the devices of which the claim has shares, by the ordinals that the daemon's clients see: what the
    shares were granted, and never more than the daemon allows."""
    for ordinal, device in enumerate(daemon.devices):
        granted = sum(_granted(device, plan))
        if granted > 0:  # a share of no memory is one of an unlimited GPU
            limits = (max(1, int(granted // MEBIBYTE)), device.memory_mebibytes)
            yield f"{ordinal}={min(limit for limit in limits if limit is not None)}M"


def _granted(device: MpsDevice, plan: PreparePlan) -> Iterator[int | Fraction]:
    for planned in plan.devices:
        share = planned.share
        if planned.hardware == device.hardware and share is not None and share.memory is not None:
            yield share.memory.value


def _mount(on_host: str, in_container: str) -> CdiMount:
    return CdiMount(host_path=on_host, container_path=in_container, options=_MOUNT_OPTIONS)
