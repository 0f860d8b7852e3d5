"""A fleet as its nodes would tell it: eight H100s a node, whole or with every MIG placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from slicewire.common.messages import (
    ClaimAnswered,
    ClaimObserved,
    ClaimRef,
    ClassObserved,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import (
    AllocationResult,
    CELDeviceSelector,
    ClaimName,
    Counter,
    CounterSet,
    Device,
    DeviceAllocationResult,
    DeviceAttribute,
    DeviceCapacity,
    DeviceClaim,
    DeviceClass,
    DeviceClassSpec,
    DeviceCounterConsumption,
    DeviceName,
    DeviceRequest,
    DeviceRequestAllocationResult,
    DeviceSelector,
    DriverName,
    ExactDeviceRequest,
    Namespace,
    NodeName,
    ObjectMeta,
    PoolName,
    Quantity,
    RequestName,
    ResourceClaim,
    ResourceClaimSpec,
)

DRIVER = DriverName("gpu.nvidia.com")
GPUS = 8
_WHOLE, _PARTITION = "gpu.nvidia.com", "mig.nvidia.com"
_SHAPE = {  # profile: compute slices, multiprocessors, MiB, memory slices, where it may begin
    "1g.10gb": (1, 16, 9856, 1, (0, 1, 2, 3, 4, 5, 6)),
    "1g.20gb": (1, 26, 20096, 2, (0, 2, 4, 6)),
    "2g.20gb": (2, 32, 20096, 2, (0, 2, 4)),
    "3g.40gb": (3, 60, 40448, 4, (0, 4)),
    "4g.40gb": (4, 64, 40448, 4, (0,)),
    "7g.80gb": (7, 132, 81152, 8, (0,)),
}
PARTITIONS = 1 + sum(len(starts) for *_, starts in _SHAPE.values())
"""Devices that one GPU is published as with MIG: itself and every placement of every profile."""
_SELECTOR = (
    'device.attributes["gpu.nvidia.com"].productName.matches("^NVIDIA H100")'
    ' && device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("40Gi")) >= 0'
)


def node_name(number: int) -> NodeName:
    return NodeName(f"node-{number:04}")


def pool(number: int, *, partitioned: bool = False) -> PoolObserved:
    """The pool of one node, as its discovery tells it."""
    name = node_name(number)
    devices = [
        device
        for gpu in range(GPUS)
        for device in (_partitioned(number, gpu) if partitioned else (_gpu(number, gpu),))
    ]
    return PoolObserved(
        node=name,
        driver=DRIVER,
        pool=PoolName(name),
        generation=1,
        devices=tuple(devices),
        shared_counters=tuple(_budget(gpu) for gpu in range(GPUS)) if partitioned else (),
    )


def _gpu(number: int, gpu: int) -> Device:
    own = {"type": _text("gpu"), "uuid": _uuid(number, gpu), "index": _whole(gpu), "minor": _whole(gpu)}
    return Device(
        name=DeviceName(f"gpu-{gpu}"),
        attributes={**_common(gpu), **own},
        capacity={"memory": DeviceCapacity(value=Quantity("81559Mi"))},
    )


@lru_cache
def _common(gpu: int) -> dict[str, DeviceAttribute]:
    return {
        "productName": _text("NVIDIA H100 80GB HBM3"),
        "brand": _text("Nvidia"),
        "architecture": _text("Hopper"),
        "cudaComputeCapability": DeviceAttribute(version="9.0.0"),
        "driverVersion": DeviceAttribute(version="570.124.6"),
        "cudaDriverVersion": DeviceAttribute(version="12.8.0"),
        "addressingMode": _text("HMM"),
        "numaNode": _whole(gpu // 4),
        "resource.kubernetes.io/pcieRoot": _text(f"pci0000:{gpu // 2:02}"),
    }


def _partitioned(number: int, gpu: int) -> Iterator[Device]:
    whole = _gpu(number, gpu)
    drawn = (DeviceCounterConsumption(counter_set=_budget_name(gpu), counters=_budget(gpu).counters),)
    yield Device(
        name=whole.name, attributes=whole.attributes, capacity=whole.capacity, consumes_counters=drawn
    )
    for profile, (compute, processors, mebibytes, memory, starts) in _SHAPE.items():
        for start in starts:
            used = _counted(compute, processors, mebibytes, range(start, min(start + memory, 8)))
            yield Device(
                name=DeviceName(f"gpu-{gpu}-mig-{profile.replace('.', '-')}-{start}"),
                attributes={
                    **_common(gpu),
                    "type": _text("mig"),
                    "profile": _text(profile),
                    "parentUUID": _uuid(number, gpu),
                    "parentIndex": _whole(gpu),
                },
                capacity={
                    "memory": DeviceCapacity(value=Quantity(f"{mebibytes}Mi")),
                    "multiprocessors": DeviceCapacity(value=Quantity(str(processors))),
                },
                consumes_counters=(DeviceCounterConsumption(counter_set=_budget_name(gpu), counters=used),),
            )


def _budget_name(gpu: int) -> str:
    return f"gpu-{gpu}-counter-set"


@lru_cache
def _budget(gpu: int) -> CounterSet:
    return CounterSet(name=_budget_name(gpu), counters=_counted(7, 132, 81559, range(8)))


@lru_cache
def _counted(compute: int, processors: int, mebibytes: int, memory: range) -> Mapping[str, Counter]:
    amounts = {
        "compute-slices": str(compute),
        "multiprocessors": str(processors),
        "memory": f"{mebibytes}Mi",
        **{f"memory-slice-{slice_}": "1" for slice_ in memory},
    }
    return {name: Counter(value=Quantity(amount)) for name, amount in amounts.items()}


@lru_cache
def _text(value: str) -> DeviceAttribute:
    return DeviceAttribute(string=value)


@lru_cache
def _whole(value: int) -> DeviceAttribute:
    return DeviceAttribute(int_value=value)


def _uuid(number: int, gpu: int) -> DeviceAttribute:
    return _text(f"GPU-{number:08x}-{gpu:04x}-4000-8000-{number * GPUS + gpu:012x}")


def classes() -> Iterator[ClassObserved]:
    for name, kind in ((_WHOLE, "gpu"), (_PARTITION, "mig")):
        expression = f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].type == "{kind}"'
        selectors = (DeviceSelector(cel=CELDeviceSelector(expression=expression)),)
        yield ClassObserved(
            device_class=DeviceClass(
                metadata=ObjectMeta(name=name), spec=DeviceClassSpec(selectors=selectors)
            )
        )


def claim(name: str, *, partition: bool = False) -> ResourceClaim:
    """One H100 of at least 40 GiB, or one 1g.10gb partition."""
    expression = f'device.attributes["{DRIVER}"].profile == "1g.10gb"' if partition else _SELECTOR
    exactly = ExactDeviceRequest(
        device_class_name=_PARTITION if partition else _WHOLE,
        selectors=(DeviceSelector(cel=CELDeviceSelector(expression=expression)),),
    )
    return ResourceClaim(
        metadata=ObjectMeta(name=name, namespace="bench", uid=name),
        spec=ResourceClaimSpec(devices=DeviceClaim(requests=(DeviceRequest(name="gpu", exactly=exactly),))),
    )


def held(number: int, gpus: range) -> tuple[ClaimObserved | LedgerWritten | ClaimAnswered, ...]:
    """The claims, the ledger and the answers of a node with these GPUs given away."""
    name = node_name(number)
    entries, claims, answers = [], [], []
    for gpu in gpus:
        holder = claim(f"earlier-{number:04}-{gpu}")
        meta = holder.metadata
        ref = ClaimRef(uid=holder.uid, namespace=Namespace(meta.namespace), name=ClaimName(meta.name))
        result = DeviceRequestAllocationResult(
            request=RequestName("gpu"),
            driver=DRIVER,
            pool=PoolName(name),
            device=DeviceName(f"gpu-{gpu}"),
        )
        given = AllocationResult(devices=DeviceAllocationResult(results=(result,)))
        entries.append(LedgerEntry(claim=ref, results=(result,)))
        claims.append(ClaimObserved(claim=holder))
        answers.append(ClaimAnswered(claim=ref, allocation=given, node=name))
    return (*claims, LedgerWritten(node=name, driver=DRIVER, entries=tuple(entries)), *answers)
