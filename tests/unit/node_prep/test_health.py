"""What discovery told of a device, in the kubelet's words."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.model import DeviceName, DeviceTaint
from slicewire.node_prep.core.health import DeviceHealth, Status, health, unknown
from slicewire.node_prep.core.node import Node
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_device

GPU = DeviceName("gpu-0")


def node(*taints: DeviceTaint, **unreadable: str) -> Node:
    device = msgspec.structs.replace(a_device("gpu-0"), taints=taints)
    whats = {what.replace("_", "-"): reason for what, reason in unreadable.items()}
    return Node(name=NODE, driver=DRIVER, pool=POOL, devices={GPU: device}, unreadable=whats)


def told(status: Status, message: str, device: str = "gpu-0") -> tuple[DeviceHealth, ...]:
    return (DeviceHealth(POOL, DeviceName(device), status, message),)


def test_a_device_without_a_taint_is_healthy() -> None:
    assert health(node()) == told(Status.HEALTHY, "")


@pytest.mark.parametrize(
    ("key", "value", "effect", "message"),
    [
        ("gpu.nvidia.com/xid", "79", "NoExecute", "gpu.nvidia.com/xid=79:NoExecute"),
        ("gpu.nvidia.com/gpu-lost", "", "NoExecute", "gpu.nvidia.com/gpu-lost:NoExecute"),
        ("slicewire.dev/uncorrected-ecc", "3", "NoSchedule", "slicewire.dev/uncorrected-ecc=3:NoSchedule"),
    ],
)
def test_a_device_that_something_is_wrong_with_is_unhealthy(
    key: str, value: str, effect: str, message: str
) -> None:
    taint = DeviceTaint(key=key, value=value, effect=effect)
    assert health(node(taint)) == told(Status.UNHEALTHY, message)


def test_what_keeps_nobody_away_is_said_and_no_more() -> None:
    taint = DeviceTaint(key="gpu.nvidia.com/xid", value="13", effect="None")
    assert health(node(taint)) == told(Status.HEALTHY, "gpu.nvidia.com/xid=13:None")


def test_a_device_nobody_looks_at_is_unknown_unless_something_is_wrong() -> None:
    unmonitored = DeviceTaint(key="gpu.nvidia.com/unmonitored", effect="NoSchedule")
    xid = DeviceTaint(key="gpu.nvidia.com/xid", value="79", effect="NoExecute")
    assert health(node(unmonitored))[0].status is Status.UNKNOWN
    assert health(node(unmonitored, xid)) == told(
        Status.UNHEALTHY, "gpu.nvidia.com/unmonitored:NoSchedule, gpu.nvidia.com/xid=79:NoExecute"
    )


@pytest.mark.parametrize("key", ["slicewire.dev/managed", "example.com/reserved-for-friday"])
def test_who_may_use_a_device_is_not_how_it_fares(key: str) -> None:
    assert health(node(DeviceTaint(key=key, effect="NoSchedule"))) == told(Status.HEALTHY, "")


def test_a_device_that_cannot_be_read_is_unknown_with_the_reason() -> None:
    assert health(node(gpu_0="GPU is lost")) == told(Status.UNKNOWN, "cannot be read: GPU is lost")


def test_a_gpu_that_is_not_offered_because_it_cannot_be_read_is_unknown_too() -> None:
    assert health(node(gpu_3="busy", NVML="slow"))[1:] == told(
        Status.UNKNOWN, "cannot be read: busy", "gpu-3"
    )


def test_a_message_is_no_longer_than_the_kubelet_takes_and_stays_text() -> None:
    (one,) = health(node(gpu_0="ü" * 2000))
    assert 1022 <= len(one.message.encode()) <= 1024
    assert one.message.endswith("ü")


def test_before_the_pool_is_known_nothing_is() -> None:
    assert health(Node(name=NODE, driver=DRIVER)) == ()


def test_in_silence_every_device_is_unknown() -> None:
    wrong = DeviceTaint(key="gpu.nvidia.com/xid", value="79", effect="NoExecute")
    assert unknown(node(wrong), "silence") == told(Status.UNKNOWN, "silence")
