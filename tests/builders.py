"""Small worlds in few words: a test spells out only what it is about, these fill in the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from slicewire.allocator.core.snapshot import EMPTY, Holding, Snapshot
from slicewire.common.model import (
    AllocationResult,
    CapacityRequestPolicy,
    CapacityRequirements,
    CELDeviceSelector,
    ClaimUID,
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceClaim,
    DeviceClaimConfiguration,
    DeviceClass,
    DeviceClassConfiguration,
    DeviceClassSpec,
    DeviceConstraint,
    DeviceCounterConsumption,
    DeviceName,
    DeviceRequest,
    DeviceRequestAllocationResult,
    DeviceSelector,
    DeviceSubRequest,
    DeviceTaint,
    DeviceTaintRule,
    DeviceTaintRuleSpec,
    DeviceTaintSelector,
    DeviceToleration,
    DriverName,
    ExactDeviceRequest,
    NodeName,
    ObjectMeta,
    PoolName,
    Quantity,
    RequestName,
    ResourceClaim,
    ResourceClaimSpec,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)

DRIVER = DriverName("gpu.nvidia.com")
NODE = NodeName("node-a")
CLASS = "gpu.nvidia.com"


def attributes(values: Mapping[str, int | bool | str | DeviceAttribute]) -> dict[str, DeviceAttribute]:
    """Plain values become attributes of their own type."""
    made: dict[str, DeviceAttribute] = {}
    for name, value in values.items():
        match value:
            case DeviceAttribute():
                made[name] = value
            case bool():
                made[name] = DeviceAttribute(bool_value=value)
            case int():
                made[name] = DeviceAttribute(int_value=value)
            case str():
                made[name] = DeviceAttribute(string=value)
    return made


def a_gpu(
    index: int = 0,
    *,
    name: str = "",
    memory: str = "80Gi",
    taints: Sequence[DeviceTaint] = (),
    draws: Mapping[str, Mapping[str, str]] | None = None,
    **values: int | bool | str | DeviceAttribute,
) -> Device:
    """`values` are attributes; `draws` says what it takes from which counter set."""
    return Device(
        name=DeviceName(name or f"gpu-{index}"),
        attributes=attributes({"type": "gpu", "index": index, **values}),
        capacity={"memory": DeviceCapacity(value=Quantity(memory))},
        taints=tuple(taints),
        consumes_counters=tuple(
            DeviceCounterConsumption(counter_set=counter_set, counters=counters(drawn))
            for counter_set, drawn in (draws or {}).items()
        ),
    )


def a_shared_gpu(
    index: int = 0,
    *,
    memory: str = "80Gi",
    policy: CapacityRequestPolicy | None = None,
    **details: object,
) -> Device:
    """A GPU that several claims may have shares of, by memory."""
    capacity = {"memory": DeviceCapacity(value=Quantity(memory), request_policy=policy)}
    made = a_gpu(index, **details)  # type: ignore[arg-type]  # the parameters of a_gpu
    return msgspec.structs.replace(made, capacity=capacity, allow_multiple_allocations=True)


def counters(amounts: Mapping[str, str]) -> dict[str, Counter]:
    return {name: Counter(value=Quantity(amount)) for name, amount in amounts.items()}


def a_counter_set(name: str, **amounts: str) -> CounterSet:
    return CounterSet(name=name, counters=counters(amounts))


def a_slice(
    devices: Iterable[Device] = (),
    *,
    node: str | None = NODE,
    pool: str = "",
    driver: str = DRIVER,
    name: str = "slice-0",
    generation: int = 1,
    of: int = 1,
    sets: Sequence[CounterSet] = (),
    **spec: object,
) -> ResourceSlice:
    """One slice of a pool of `of` slices; `spec` may select nodes otherwise than by name."""
    return ResourceSlice(
        metadata=ObjectMeta(name=name),
        spec=ResourceSliceSpec(
            driver=DriverName(driver),
            pool=ResourcePool(
                name=PoolName(pool or node or "shared"), generation=generation, resource_slice_count=of
            ),
            node_name=None if spec else NodeName(node) if node else None,
            devices=tuple(devices),
            shared_counters=tuple(sets),
            **spec,  # type: ignore[arg-type]  # the fields of ResourceSliceSpec, as the caller names them
        ),
    )


def a_pool(gpus: int = 8, *, node: str = NODE, **values: int | bool | str) -> tuple[ResourceSlice, ...]:
    """As many equal GPUs on one node, in one slice."""
    return (a_slice((a_gpu(index, **values) for index in range(gpus)), node=node),)  # type: ignore[arg-type]


def a_class(
    name: str = CLASS, *selectors: str, config: Sequence[DeviceClassConfiguration] = ()
) -> DeviceClass:
    return DeviceClass(
        metadata=ObjectMeta(name=name),
        spec=DeviceClassSpec(selectors=cel(*selectors), config=tuple(config)),
    )


def cel(*expressions: str) -> tuple[DeviceSelector, ...]:
    return tuple(DeviceSelector(cel=CELDeviceSelector(expression=text)) for text in expressions)


def exactly(
    count: int = 1,
    *selectors: str,
    of: str = CLASS,
    capacity: Mapping[str, str] | None = None,
    admin: bool | None = None,
    tolerations: Sequence[DeviceToleration] = (),
) -> ExactDeviceRequest:
    return ExactDeviceRequest(
        device_class_name=of,
        selectors=cel(*selectors),
        count=count,
        admin_access=admin,
        tolerations=tuple(tolerations),
        capacity=None if capacity is None else requirements(capacity),
    )


def everything(*selectors: str, of: str = CLASS, admin: bool | None = None) -> ExactDeviceRequest:
    """All devices that match."""
    return ExactDeviceRequest(
        device_class_name=of, selectors=cel(*selectors), allocation_mode="All", admin_access=admin
    )


def requirements(amounts: Mapping[str, str]) -> CapacityRequirements:
    return CapacityRequirements(requests={name: Quantity(amount) for name, amount in amounts.items()})


def first_of(**alternatives: ExactDeviceRequest) -> tuple[DeviceSubRequest, ...]:
    """Alternatives by name, best first."""
    return tuple(
        DeviceSubRequest(
            name=name,
            device_class_name=asked.device_class_name,
            selectors=asked.selectors,
            allocation_mode=asked.allocation_mode,
            count=asked.count,
            tolerations=asked.tolerations,
            capacity=asked.capacity,
        )
        for name, asked in alternatives.items()
    )


def a_claim(
    count: int = 1,
    *selectors: str,
    name: str = "train",
    match: str | None = None,
    distinct: str | None = None,
    config: Sequence[DeviceClaimConfiguration] = (),
    **requests: ExactDeviceRequest | tuple[DeviceSubRequest, ...],
) -> ResourceClaim:
    """For `count` GPUs, unless `requests` says otherwise, by name and in order."""
    asked = requests or {"gpus": exactly(count, *selectors)}
    constraints = [DeviceConstraint(match_attribute=match)] if match else []
    constraints += [DeviceConstraint(distinct_attribute=distinct)] if distinct else []
    return ResourceClaim(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=ResourceClaimSpec(
            devices=DeviceClaim(
                requests=tuple(_request(each, details) for each, details in asked.items()),
                constraints=tuple(constraints),
                config=tuple(config),
            )
        ),
    )


def _request(name: str, details: ExactDeviceRequest | tuple[DeviceSubRequest, ...]) -> DeviceRequest:
    if isinstance(details, ExactDeviceRequest):
        return DeviceRequest(name=name, exactly=details)
    return DeviceRequest(name=name, first_available=details)


def a_taint_rule(
    name: str = "maintenance",
    taint: DeviceTaint | None = None,
    *,
    driver: str | None = None,
    pool: str | None = None,
    device: str | None = None,
) -> DeviceTaintRule:
    """For every device, unless it says which."""
    return DeviceTaintRule(
        metadata=ObjectMeta(name=name),
        spec=DeviceTaintRuleSpec(
            taint=taint or DeviceTaint(key=f"example.com/{name}", effect="NoSchedule"),
            device_selector=DeviceTaintSelector(
                driver=None if driver is None else DriverName(driver),
                pool=None if pool is None else PoolName(pool),
                device=None if device is None else DeviceName(device),
            ),
        ),
    )


def a_snapshot(
    *slices: ResourceSlice,
    classes: Sequence[DeviceClass] = (),
    used: Mapping[str, Sequence[str]] | None = None,
) -> Snapshot:
    """The slices told by their nodes. `used`: names of devices of the first slice's pool, by claim."""
    snapshot = EMPTY
    for device_class in classes or (a_class(),):
        snapshot = snapshot.with_class(device_class)
    told: dict[tuple[NodeName, DriverName], list[ResourceSlice]] = {}
    for each in slices:
        told.setdefault((each.spec.node_name or NodeName(""), each.spec.driver), []).append(each)
    for (node, driver), by_node in told.items():
        snapshot = snapshot.with_slices(node, driver, tuple(by_node))
    if used:
        held = [a_holding(claim, slices[0], *names) for claim, names in used.items()]
        snapshot = snapshot.with_holdings(slices[0].spec.node_name or NODE, DRIVER, tuple(held))
    return snapshot


def a_holding(claim: str, pool: ResourceSlice, *devices: str, **result: object) -> Holding:
    """A claim of the default namespace holds these devices of the slice's pool."""
    results = tuple(
        DeviceRequestAllocationResult(
            request=RequestName("gpus"),
            driver=pool.spec.driver,
            pool=pool.spec.pool.name,
            device=DeviceName(device),
            **result,  # type: ignore[arg-type]  # the fields of the result, as the caller names them
        )
        for device in devices
    )
    return Holding(ClaimUID(f"uid-{claim}"), f"default/{claim}", results)


def held_by(claim: ResourceClaim, result: AllocationResult) -> Holding:
    """What the claim holds once this result is written down."""
    return Holding(claim.uid, claim.label, result.devices.results)


def devices_of(results: Iterable[AllocationResult]) -> list[str]:
    """The names of all devices in the order of the results."""
    return [each.device for result in results for each in result.devices.results]
