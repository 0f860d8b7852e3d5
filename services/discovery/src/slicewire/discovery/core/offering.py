"""Everything that one GPU is offered as, by what it is and what the policy says.

What can be cut on demand is offered whole and in parts at once, the counters keep them apart. What is
cut already is offered in its parts only. A GPU that virtual machines may have too shares a counter with
its other forms, so that they can never both be given.
"""

from __future__ import annotations

from collections.abc import Iterator

from slicewire.common.model import CounterSet, Device
from slicewire.common.nvml.partitions import Mig
from slicewire.discovery.core import counters
from slicewire.discovery.core.full import full_gpu
from slicewire.discovery.core.gpu import Offered, SeenGpu
from slicewire.discovery.core.partitions import (
    existing_partitions,
    needs_reset,
    possible_partitions,
    unusable_instances,
    why_not_dynamic,
)
from slicewire.discovery.core.policy import DeviceType, Partitions
from slicewire.discovery.core.vfio import vfio_gpu


def offered(gpu: SeenGpu) -> Offered:
    if not gpu.choice.offer:
        return Offered(remarks=("the node policy offers nothing of it",))
    wants_dynamic = gpu.choice.partitions is Partitions.DYNAMIC and gpu.choice.offers(DeviceType.MIG)
    obstacle = why_not_dynamic(gpu) if wants_dynamic else ""
    mig = gpu.facts.mig
    if wants_dynamic and not obstacle and mig is not None:
        return _in_any_parts(gpu, mig)
    found = _in_its_parts(gpu, mig) if mig is not None and mig.enabled else _whole(gpu)
    remark = f"the node policy wants dynamic partitions: {obstacle}"
    return Offered(
        devices=found.devices,
        counters=found.counters,
        remarks=(remark, *found.remarks) if obstacle else found.remarks,
    )


def _in_any_parts(gpu: SeenGpu, mig: Mig) -> Offered:
    known = tuple(profile for profile in mig.profiles if profile.placements)
    everything = CounterSet(name=gpu.counter_set, counters=counters.whole(known))
    devices = list(possible_partitions(gpu, mig))
    if gpu.choice.offers(DeviceType.GPU) and not needs_reset(gpu):
        devices.append(full_gpu(gpu, everything, counters.most(known)))
    remarks: tuple[str, ...] = ()
    if gpu.choice.offers(DeviceType.VFIO):
        device, remarks = _for_a_machine(gpu, everything)
        devices.append(device)
    return Offered(devices=_by_name(devices), counters=everything, remarks=remarks)


def _in_its_parts(gpu: SeenGpu, mig: Mig) -> Offered:
    devices = list(existing_partitions(gpu, mig)) if gpu.choice.offers(DeviceType.MIG) else []
    remarks = tuple(_remarks(gpu, mig))
    if not mig.instances and gpu.choice.offers(DeviceType.VFIO):
        device, odd = _for_a_machine(gpu, None)
        devices.append(device)
        remarks += odd
    return Offered(devices=_by_name(devices), remarks=remarks)


def _remarks(gpu: SeenGpu, mig: Mig) -> Iterator[str]:
    if not gpu.choice.offers(DeviceType.MIG):
        yield "MIG mode is on, and the node policy offers no partitions of it: turn MIG mode off to offer it"
    elif not mig.instances:
        yield "MIG mode is on and there are no partitions: make some, offer them dynamically, or turn it off"
    else:
        yield from unusable_instances(mig)
    if mig.instances and gpu.choice.offers(DeviceType.VFIO):
        yield "it cannot be given to a virtual machine while it has partitions"


def _whole(gpu: SeenGpu) -> Offered:
    as_gpu, as_vfio = gpu.choice.offers(DeviceType.GPU), gpu.choice.offers(DeviceType.VFIO)
    both = counters.undivided(gpu.counter_set) if as_gpu and as_vfio else None
    devices: list[Device] = []
    remarks: tuple[str, ...] = ()
    if as_gpu:
        devices.append(full_gpu(gpu, both, None))
    if as_vfio:
        device, remarks = _for_a_machine(gpu, both)
        devices.append(device)
    if not devices:
        remarks = ("MIG mode is off, and the node policy offers partitions only",)
    return Offered(devices=_by_name(devices), counters=both, remarks=remarks)


def _for_a_machine(gpu: SeenGpu, drawn_from: CounterSet | None) -> tuple[Device, tuple[str, ...]]:
    """And what cannot be told of it."""
    device, odd = vfio_gpu(gpu.vfio, gpu.place, drawn_from, gpu.product_name, iommu_fd=gpu.iommu_fd)
    return device, tuple(f"{device.name} {one.name}: {one.reason}" for one in odd)


def _by_name(devices: list[Device]) -> tuple[Device, ...]:
    return tuple(sorted(devices, key=lambda device: device.name))
