"""Values for tests: only what a test is about is spelled out there."""

from __future__ import annotations

from typing import Any

from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    Device,
    DeviceAllocationConfiguration,
    DeviceAttribute,
    DeviceName,
    DeviceRequestAllocationResult,
    DriverName,
    Namespace,
    NodeName,
    OpaqueDeviceConfiguration,
    PoolName,
    RequestName,
    TraceParent,
)
from slicewire.node_prep.core.driver import DeviceNode, Driver, Link
from slicewire.node_prep.core.node import Allocation, Claim, Node
from slicewire.node_prep.core.plan import FullGpu, PlannedDevice, PreparePlan

NODE = NodeName("node-a")
DRIVER = DriverName("gpu.nvidia.com")
POOL = PoolName("node-a")
VERSION = "550.163.01"
NVIDIA = "resource.nvidia.com/v1beta1"


def a_claim(uid: str = "claim-1", name: str = "") -> Claim:
    return Claim(uid=ClaimUID(uid), namespace=Namespace("default"), name=ClaimName(name or f"named-{uid}"))


def a_result(device: str = "gpu-0", request: str = "gpu", **more: Any) -> DeviceRequestAllocationResult:
    given = {"driver": DRIVER, "pool": POOL} | more
    return DeviceRequestAllocationResult(request=RequestName(request), device=DeviceName(device), **given)


def an_allocation(
    *devices: str | DeviceRequestAllocationResult,
    claim: Claim | None = None,
    config: tuple[DeviceAllocationConfiguration, ...] = (),
    trace: str = "",
) -> Allocation:
    results = tuple(a_result(one) if isinstance(one, str) else one for one in devices or ("gpu-0",))
    return Allocation(claim or a_claim(), results, config, TraceParent(trace))


def a_config(
    kind: str = "GpuConfig", source: str = "FromClaim", requests: tuple[str, ...] = (), **parameters: Any
) -> DeviceAllocationConfiguration:
    return an_opaque_config({"apiVersion": NVIDIA, "kind": kind, **parameters}, source, requests)


def an_opaque_config(
    parameters: object,
    source: str = "FromClaim",
    requests: tuple[str, ...] = (),
    driver: DriverName = DRIVER,
) -> DeviceAllocationConfiguration:
    opaque = OpaqueDeviceConfiguration(driver=driver, parameters=parameters)
    return DeviceAllocationConfiguration(source=source, requests=requests, opaque=opaque)


def uuid_of(minor: int) -> str:
    return f"GPU-{minor:08d}"


def a_device(name: str, **attributes: str) -> Device:
    return Device(
        name=DeviceName(name),
        attributes={key: DeviceAttribute(string=value) for key, value in attributes.items()},
    )


def a_gpu(minor: int) -> Device:
    return a_device(f"gpu-{minor}", type="gpu", uuid=uuid_of(minor))


def a_node(*devices: Device, **more: Any) -> Node:
    given = {"pool": POOL, "devices": {one.name: one for one in devices or (a_gpu(0), a_gpu(1))}} | more
    return Node(name=NODE, driver=DRIVER, **given)


def a_plan(*minors: int, claim: Claim | None = None, admin_access: bool = False) -> PreparePlan:
    devices = tuple(
        PlannedDevice(
            device=DeviceName(f"gpu-{minor}"),
            pool=POOL,
            request_names=("gpu",),
            hardware=FullGpu(minor=minor, uuid=uuid_of(minor)),
            admin_access=admin_access,
        )
        for minor in minors or (0,)
    )
    return PreparePlan(claim=claim or a_claim(), devices=devices)


def a_driver(**more: Any) -> Driver:
    """As the tree of the golden CDI spec of a full GPU has it."""
    folder = "/usr/lib64"
    cuda, ml = f"{folder}/libcuda.so.{VERSION}", f"{folder}/libnvidia-ml.so.{VERSION}"
    nodes = (
        DeviceNode("/dev/nvidia0", 195, 0),
        DeviceNode("/dev/nvidia1", 195, 1),
        DeviceNode("/dev/nvidia-uvm", 510, 0),
        DeviceNode("/dev/nvidia-uvm-tools", 510, 1),
        DeviceNode("/dev/nvidiactl", 195, 255),
    )
    given: dict[str, Any] = {
        "version": VERSION,
        "root": "/",
        "nodes": {node.path: node for node in nodes},
        "libraries": (cuda, ml, f"{folder}/libnvidia-ptxjitcompiler.so.{VERSION}"),
        "links": (
            Link(f"{folder}/libcuda.so", "libcuda.so.1", cuda),
            Link(f"{folder}/libnvidia-ml.so.1", f"libnvidia-ml.so.{VERSION}", ml),
            Link(f"{folder}/libnvidia-ml.so", "libnvidia-ml.so.1", ml),
        ),
        "files": ("/usr/bin/nvidia-smi",),
        "cdi_hook": "/usr/bin/nvidia-cdi-hook",
        "uuids": {0: uuid_of(0), 1: uuid_of(1)},
    }
    return Driver(**(given | more))
