"""A stored slice says what it said, with the objects of the fact wherever they are equal."""

from __future__ import annotations

import msgspec

from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import (
    Device,
    DeviceAttribute,
    DeviceName,
    DeviceTaint,
    NodeName,
    PoolName,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.alike import alike
from slicewire.publisher.keys import PoolKey
from tests.unit.publisher.seeing import hear, meta, see
from tests.unit.publisher.storing import DRIVER

TAINT = DeviceTaint(key="slicewire.dev/managed", effect="NoSchedule")


def a_device(name: str, model: str = "x", *taints: DeviceTaint) -> Device:
    return Device(name=DeviceName(name), attributes={"model": DeviceAttribute(string=model)}, taints=taints)


def a_slice(*devices: Device) -> ResourceSlice:
    pool = ResourcePool(name=PoolName("node-a"), generation=1, resource_slice_count=1)
    spec = ResourceSliceSpec(driver=DRIVER, pool=pool, node_name=NodeName("node-a"), devices=devices)
    return ResourceSlice(metadata=meta("slice", namespace=""), spec=spec)


def test_an_equal_device_is_the_one_that_was_told() -> None:
    told, found = a_device("a"), a_slice(a_device("a"))
    made = alike(found, [told])
    assert made == found
    assert made.spec.devices[0] is told


def test_a_device_with_other_taints_shares_everything_else() -> None:
    told, found = a_device("a"), a_slice(a_device("a", "x", TAINT))
    made = alike(found, [told])
    assert made == found
    assert made.spec.devices[0].attributes is told.attributes


def test_what_differs_or_was_not_told_stays_as_it_is_stored() -> None:
    found = a_slice(a_device("a", "y"), a_device("b", "y", TAINT), a_device("c"))
    made = alike(found, [a_device("a"), a_device("b")])
    assert made == found
    assert all(one is other for one, other in zip(made.spec.devices, found.spec.devices, strict=True))


def test_it_does_not_matter_which_side_comes_first() -> None:
    told = PoolObserved(
        node=NodeName("node-a"),
        driver=DRIVER,
        pool=PoolName("node-a"),
        generation=1,
        devices=(a_device("a"),),
    )
    stored = a_slice(a_device("a"))
    for fact_first in (True, False):
        cluster = Cluster()
        if fact_first:
            hear(cluster, INVENTORY, told)
        see(cluster, stored)
        if not fact_first:
            hear(cluster, INVENTORY, told)
        (kept,) = cluster.slices(PoolKey(NodeName("node-a"), DRIVER))
        assert kept == stored
        assert kept.spec.devices[0] is told.devices[0]
        changed = msgspec.structs.replace(told, devices=(a_device("a", "y"),))
        hear(cluster, INVENTORY, changed)
        assert cluster.slices(PoolKey(NodeName("node-a"), DRIVER)) == (stored,)
