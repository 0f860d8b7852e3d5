"""A plan and the node's driver → the CDI spec that a container runtime reads, as a value.

It writes no file and knows no directory. The rules are those of the CDI specification and of
NVIDIA's own specs, so that a container cannot tell who prepared it.
"""

from __future__ import annotations

from posixpath import dirname

from slicewire.common.model import ClaimUID, wire
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.driver import DeviceNode, Driver
from slicewire.node_prep.core.plan import FullGpu, PlannedDevice, PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

KIND = "k8s.gpu.nvidia.com/claim"
CDI_VERSION = "0.5.0"
"""The lowest that has all we use: `hostPath` of device nodes, and names that start with a digit."""
_FILE_PREFIX = KIND.replace("/", "-") + "_"
_FILE_SUFFIX = ".json"
_SHARED_NODES = ("/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
_READ_AND_WRITE_BY_ALL = 0o666
_MOUNT_OPTIONS = ("ro", "nosuid", "nodev", "rbind", "rprivate")
_LIBCUDA = "libcuda.so."


class CdiDeviceNode(Object, frozen=True):
    """Without numbers, the runtime takes those of the host's file."""

    path: str
    host_path: str
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = ""


class CdiMount(Object, frozen=True):
    host_path: str
    container_path: str
    options: tuple[str, ...] = ()


class CdiHook(Object, frozen=True):
    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


class ContainerEdits(Object, frozen=True):
    env: tuple[str, ...] = ()
    device_nodes: tuple[CdiDeviceNode, ...] = ()
    mounts: tuple[CdiMount, ...] = ()
    hooks: tuple[CdiHook, ...] = ()


class CdiDevice(Object, frozen=True):
    name: str
    container_edits: ContainerEdits


class CdiSpec(Object, frozen=True):
    cdi_version: str
    kind: str
    devices: tuple[CdiDevice, ...]
    container_edits: ContainerEdits = ContainerEdits()


def device_id(claim: ClaimUID, planned: PlannedDevice) -> str:
    """What the kubelet hands to the runtime, which finds the device in the spec by it."""
    return f"{KIND}={_name(claim, planned)}"


def file_name(claim: ClaimUID) -> str:
    return f"{_FILE_PREFIX}{claim}{_FILE_SUFFIX}"


def claim_of(name: str) -> ClaimUID | None:
    """The claim of a file of ours; None for any other file."""
    if not (name.startswith(_FILE_PREFIX) and name.endswith(_FILE_SUFFIX)):
        return None
    return ClaimUID(name.removeprefix(_FILE_PREFIX).removesuffix(_FILE_SUFFIX))


def encode(spec: CdiSpec) -> bytes:
    return wire.encode(spec)


def spec(plan: PreparePlan, driver: Driver) -> CdiSpec | PrepareRefusal:
    devices = []
    for planned in plan.devices:
        nodes = _nodes_of(planned, driver)
        if isinstance(nodes, PrepareRefusal):
            return nodes
        edits = ContainerEdits(device_nodes=tuple(_device_node(node, driver) for node in nodes))
        devices.append(CdiDevice(name=_name(plan.claim.uid, planned), container_edits=edits))
    return CdiSpec(
        cdi_version=CDI_VERSION, kind=KIND, devices=tuple(devices), container_edits=_for_every_device(driver)
    )


def _name(claim: ClaimUID, planned: PlannedDevice) -> str:
    """The claim's UID is in it because runtimes cache: a name must never mean something else."""
    return f"{claim}-{planned.device}"


def _nodes_of(planned: PlannedDevice, driver: Driver) -> tuple[DeviceNode, ...] | PrepareRefusal:
    match planned.hardware:
        case FullGpu() as gpu:
            found = driver.uuids.get(gpu.minor)
            if found is None:
                return PrepareRefusal(Why.DRIVER, f"the driver does not see device {planned.device} now")
            if gpu.uuid and gpu.uuid != found:
                return PrepareRefusal(
                    Why.DRIVER,
                    f"device {planned.device} was {gpu.uuid} when it was allocated and is {found} now",
                )
            node = driver.nodes.get(f"/dev/nvidia{gpu.minor}")
            if node is None:
                return PrepareRefusal(Why.DRIVER, f"{driver.on_host(f'/dev/nvidia{gpu.minor}')} is missing")
            return (node, *driver.display_nodes.get(gpu.pci_bus_id, ()))


def _device_node(node: DeviceNode, driver: Driver) -> CdiDeviceNode:
    return CdiDeviceNode(
        path=node.path,
        host_path=driver.on_host(node.path),
        major=node.major,
        minor=node.minor,
        file_mode=_READ_AND_WRITE_BY_ALL,
        permissions="rwm",
    )


def _for_every_device(driver: Driver) -> ContainerEdits:
    libcuda = next((path for path in driver.libraries if path.rpartition("/")[2].startswith(_LIBCUDA)), None)
    # An image may ask an older runtime for all GPUs by this variable's default; it gets the claim's only.
    env = ("NVIDIA_VISIBLE_DEVICES=void",)
    where = () if libcuda is None else (f"NVIDIA_CTK_LIBCUDA_DIR={dirname(libcuda)}",)
    return ContainerEdits(
        env=(*where, *env),
        device_nodes=tuple(
            _device_node(driver.nodes[path], driver) for path in _SHARED_NODES if path in driver.nodes
        ),
        mounts=_mounts(driver),
        hooks=_hooks(driver),
    )


def _mounts(driver: Driver) -> tuple[CdiMount, ...]:
    as_they_are = tuple(_mount(driver.on_host(path), path) for path in (*driver.files, *driver.libraries))
    sockets = tuple(_mount(driver.on_host(path), path, "noexec") for path in driver.sockets)
    # The hook makes the links; without it the libraries are mounted under their names as well.
    links = () if driver.cdi_hook else tuple(_mount(driver.on_host(x.library), x.path) for x in driver.links)
    return (*as_they_are, *links, *sockets)


def _mount(host_path: str, container_path: str, *more: str) -> CdiMount:
    return CdiMount(host_path=host_path, container_path=container_path, options=(*_MOUNT_OPTIONS, *more))


def _hooks(driver: Driver) -> tuple[CdiHook, ...]:
    if not driver.cdi_hook:
        return ()
    links = tuple(word for link in driver.links for word in ("--link", f"{link.target}::{link.path}"))
    folders = tuple(dict.fromkeys(dirname(path) for path in driver.libraries))
    commands = (
        ("create-symlinks", *links) if links else (),
        ("enable-cuda-compat", f"--host-driver-version={driver.version}"),
        ("update-ldcache", *(word for folder in folders for word in ("--folder", folder))),
        ("disable-device-node-modification",),
    )
    return tuple(_hook(driver, command) for command in commands if command)


def _hook(driver: Driver, command: tuple[str, ...]) -> CdiHook:
    return CdiHook(
        hook_name="createContainer",
        path=driver.on_host(driver.cdi_hook),
        args=("nvidia-cdi-hook", *command),
        env=("NVIDIA_CTK_DEBUG=false",),
    )
