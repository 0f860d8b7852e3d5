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
from slicewire.common.model.naming import GpuName, MigName, VfioName, parsed
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.driver import DeviceNode, Driver, Link, SeenGpu
from slicewire.node_prep.core.entry import Asker, Progress, Stage
from slicewire.node_prep.core.hardware import FullGpu, Hardware, Partition, PlannedDevice, VfioFunction
from slicewire.node_prep.core.holding import Holding
from slicewire.node_prep.core.node import Allocation, Claim, Node
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.steps import TurnMigModeOff, WriteCdiFile

NODE = NodeName("node-a")
DRIVER = DriverName("gpu.nvidia.com")
POOL = PoolName("node-a")
VERSION = "550.163.01"
NVIDIA = "resource.nvidia.com/v1beta1"
TRACE = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


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


def a_partition(name: str, uuid: str = "") -> Device:
    own = {"uuid": uuid} if uuid else {}
    return a_device(name, type="mig", parentUUID=uuid_of(0), **own)


def a_holding(device: str, claim: Claim | None = None, **more: Any) -> Holding:
    planned = PlannedDevice(
        device=DeviceName(device),
        pool=POOL,
        request_names=("gpu",),
        **({"hardware": a_hardware(device)} | more),
    )
    return Holding(claim or a_claim("claim-2"), planned)


def place_of(minor: int) -> str:
    return f"0000:{minor:02x}:00.0"


def a_hardware(device: str) -> Hardware:
    """Of the GPU whose number is in the name; which is so on a node where no number ever changed."""
    match parsed(device):
        case VfioName(number):
            return VfioFunction(pci_bus_id=place_of(number))
        case MigName(number, profile_id, start):
            return Partition(
                gpu=uuid_of(number), profile_id=profile_id, start=start, pci_bus_id=place_of(number)
            )
        case GpuName(number):
            return FullGpu(uuid=uuid_of(number), pci_bus_id=place_of(number))
        case None:
            return FullGpu(uuid=f"GPU-{device}")


def a_function(number: int, place: str = "") -> Device:
    """A GPU for a virtual machine."""
    own = {"resource.kubernetes.io/pciBusID": place or place_of(number)}
    return a_device(f"gpu-vfio-{number}", type="vfio", **own)


def a_node(*devices: Device, **more: Any) -> Node:
    given = {"pool": POOL, "devices": {one.name: one for one in devices or (a_gpu(0), a_gpu(1))}} | more
    return Node(name=NODE, driver=DRIVER, **given)


def a_plan(*minors: int, claim: Claim | None = None, admin_access: bool = False) -> PreparePlan:
    devices = tuple(
        PlannedDevice(
            device=DeviceName(f"gpu-{minor}"),
            pool=POOL,
            request_names=("gpu",),
            hardware=FullGpu(uuid=uuid_of(minor)),
            admin_access=admin_access,
        )
        for minor in minors or (0,)
    )
    whole = (TurnMigModeOff(gpu=uuid_of(minor)) for minor in minors or (0,))
    whose = claim or a_claim()
    return PreparePlan(claim=whose, devices=devices, steps=(*whole, WriteCdiFile(claim=whose.uid)))


def reserved(
    *minors: int, uid: str = "claim-1", on: Checkpoint | None = None, asked_by: Asker = Asker.KUBELET
) -> Checkpoint:
    """A claim of these GPUs that nothing has been done for."""
    plan = a_plan(*minors, claim=a_claim(uid))
    return (on or Checkpoint()).with_reserved(plan, asked_by, TRACE)


def prepared(checkpoint: Checkpoint, uid: str = "claim-1") -> Checkpoint:
    """The claim with everything done that was planned."""
    for index in range(len(checkpoint.entries[ClaimUID(uid)].plan.steps)):
        checkpoint = checkpoint.with_progress(ClaimUID(uid), index, Progress(stage=Stage.DONE))
    return checkpoint.with_prepared(ClaimUID(uid))


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
        "gpus": {uuid_of(0): SeenGpu(0, "0000:1a:00.0"), uuid_of(1): SeenGpu(1, "0000:1b:00.0")},
    }
    return Driver(**(given | more))
