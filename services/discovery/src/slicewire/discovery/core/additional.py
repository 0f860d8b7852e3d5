"""What Slicewire tells of a GPU that NVIDIA's DRA driver does not: attributes under `slicewire.dev/`."""

from __future__ import annotations

from slicewire.common.model import DeviceAttribute
from slicewire.common.nvml.facts import GpuFacts
from slicewire.common.nvml.partitions import Mig, MigProfile, Placement
from slicewire.discovery.core.attributes import numbers, sorted_out, text
from slicewire.discovery.core.counters import memory_slices

DOMAIN = "slicewire.dev/"
_MODES = {
    (False, False): "disabled",
    (False, True): "enabledAfterReset",
    (True, True): "enabled",
    (True, False): "disabledAfterReset",
}
"""By the mode there is and the mode there will be."""


def of_gpu(gpu: GpuFacts) -> dict[str, DeviceAttribute]:
    found, _ = sorted_out(
        tuple(
            numbers(
                {
                    f"{DOMAIN}powerLimitMilliwatts": gpu.power_limit_milliwatts,
                    f"{DOMAIN}moduleID": gpu.module_id,
                }
            )
        )
    )
    return found | (_of_mig(gpu.mig) if gpu.mig is not None else {})


def of_partition(mig: Mig, profile: MigProfile, placement: Placement) -> dict[str, DeviceAttribute]:
    """Whether it is there already, or has to be made first."""
    created = any(
        instance.profile_id == profile.id and instance.placement == placement and instance.compute_instances
        for instance in mig.instances
    )
    return {f"{DOMAIN}created": DeviceAttribute(bool_value=created)}


def _of_mig(mig: Mig) -> dict[str, DeviceAttribute]:
    return {
        f"{DOMAIN}migMode": text(_MODES[mig.enabled, mig.pending]),
        f"{DOMAIN}partitions": DeviceAttribute(int_value=len(mig.instances)),
        f"{DOMAIN}freeMemorySlices": DeviceAttribute(int_value=_free(mig)),
    }


def _free(mig: Mig) -> int:
    """Memory slices that no partition has now."""
    taken = sum(instance.placement.size for instance in mig.instances)
    return max(memory_slices(mig.profiles) - taken, 0)
