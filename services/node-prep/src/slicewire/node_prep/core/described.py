"""What was published of the devices that a claim was given, as values that a plan can hold."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model import DeviceAttribute, DeviceName, DriverName, PoolName
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.node import Allocation, Claim, Node


class DescribedDevice(Object, frozen=True):
    """`attributes` are as published, by the names they were published under."""

    driver: DriverName
    pool: PoolName
    name: DeviceName
    attributes: Mapping[str, DeviceAttribute] = msgspec.field(default_factory=dict)


class GivenDevice(Object, frozen=True):
    """`request_names` are as in the allocation: `request` or `request/subrequest`."""

    request_names: tuple[str, ...]
    described: DescribedDevice


class Described(Object, frozen=True, kw_only=True):
    """A claim and the devices of one driver in it. `pod_claim_name` is what the pod calls a claim that was
    made for it from a template; empty for a claim of its own."""

    claim: Claim
    driver: DriverName
    devices: tuple[GivenDevice, ...]
    pod_claim_name: str = ""


def described(allocation: Allocation, node: Node) -> Described:
    """As this node has it published now."""
    requests: dict[DeviceName, dict[str, None]] = {}
    for result in allocation.results:
        if result.driver == node.driver and result.pool == node.pool and result.device in node.devices:
            requests.setdefault(result.device, {})[result.request] = None
    return Described(
        claim=allocation.claim,
        driver=node.driver,
        devices=tuple(GivenDevice(tuple(names), _device(device, node)) for device, names in requests.items()),
        pod_claim_name=allocation.pod_claim_name,
    )


def _device(name: DeviceName, node: Node) -> DescribedDevice:
    return DescribedDevice(
        driver=node.driver,
        pool=node.pool or PoolName(""),
        name=name,
        attributes=node.devices[name].attributes,
    )
