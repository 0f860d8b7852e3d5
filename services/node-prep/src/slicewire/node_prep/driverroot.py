"""What the NVIDIA driver has put on this node: libraries, programs, device nodes, the GPUs that answer.

It reads and never interprets; what of it a container gets is decided in core/cdi.py. All of it
blocks: call it in a thread.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from slicewire.common.nvml.port import NodeFacts, Nvml, NvmlAbsent
from slicewire.node_prep.core.driver import DeviceNode, Driver, DriverAbsent, Link

_LIBRARY_FOLDERS = (
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
)
_PLUGIN_FOLDER = "vdpau"
_PROGRAMS = (
    "nvidia-smi",
    "nvidia-debugdump",
    "nvidia-persistenced",
    "nvidia-cuda-mps-control",
    "nvidia-cuda-mps-server",
    "nvidia-imex",
    "nvidia-imex-ctl",
)
_SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket", "/tmp/nvidia-mps")  # noqa: S108 - a fixed name of NVIDIA's
_FIRMWARE_FOLDERS = ("/lib/firmware/nvidia", "/usr/lib/firmware/nvidia")
_HOOKS = ("/usr/bin/nvidia-cdi-hook", "/usr/local/nvidia/toolkit/nvidia-cdi-hook")
_LONGEST_CHAIN = 8
"""Links to follow from `libcuda.so` before giving up on a loop."""


class DriverRoot:
    """`on_host` is where the driver's files are for the container runtime, which runs on the host."""

    def __init__(self, nvml: Nvml, on_host: str = "") -> None:
        self._nvml = nvml
        self._on_host = on_host or str(nvml.driver_root)
        self._looking = threading.Lock()

    def look(self) -> Driver | DriverAbsent:
        """Everything as it is now: a driver may come, go and change while we run."""
        with self._looking:  # the door promises nothing about several threads
            facts = self._nvml.look()
        if isinstance(facts, NvmlAbsent):
            return DriverAbsent(facts.reason)
        try:
            return self._found(facts)
        except OSError as error:
            return DriverAbsent(f"reading the driver root {self._nvml.driver_root}: {error}")

    def _found(self, facts: NodeFacts) -> Driver | DriverAbsent:
        root = self._nvml.driver_root
        libraries = tuple(_libraries(root, facts.driver_version))
        if not libraries:
            return DriverAbsent(
                f"no libraries of driver {facts.driver_version} (*.so.{facts.driver_version}) under {root} in"
                f" {', '.join(_LIBRARY_FOLDERS)}"
            )
        return Driver(
            version=facts.driver_version,
            root=self._on_host,
            nodes={node.path: node for node in _nodes(root)},
            libraries=libraries,
            links=tuple(_links(root, libraries)),
            files=(*_present(root, *(f"/usr/bin/{name}" for name in _PROGRAMS)), *_firmware(root, facts)),
            sockets=_present(root, *_SOCKETS),
            cdi_hook=next(iter(_present(root, *_HOOKS)), ""),
            uuids={gpu.minor: gpu.uuid for gpu in facts.gpus},
            display_nodes=_display_nodes(root, self._nvml.sysfs_root),
        )


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _present(root: Path, *paths: str) -> tuple[str, ...]:
    return tuple(path for path in paths if _below(root, path).exists())


def _libraries(root: Path, version: str) -> Iterator[str]:
    seen: set[str] = set()
    for folder in _LIBRARY_FOLDERS:
        here = _below(root, folder)
        real = os.path.realpath(here)  # /lib64 is often a link to /usr/lib64
        if real in seen or not here.is_dir():
            continue
        seen.add(real)
        for part in (folder, f"{folder}/{_PLUGIN_FOLDER}"):
            yield from (f"{part}/{path.name}" for path in sorted(_below(root, part).glob(f"*.so.{version}")))


def _links(root: Path, libraries: tuple[str, ...]) -> Iterator[Link]:
    """The names programs load the libraries by. Everything that uses CUDA without saying which version
    loads `libcuda.so`, which few hosts have outside their development packages."""
    folders = dict.fromkeys(library.rpartition("/")[0] for library in libraries)
    for folder in folders:
        targets = _link_targets(_below(root, folder))
        if "libcuda.so" not in targets and "libcuda.so.1" in targets:
            targets["libcuda.so"] = "libcuda.so.1"
        for name, target in sorted(targets.items()):
            library = f"{folder}/{_end_of(name, targets)}"
            if library in libraries:
                yield Link(path=f"{folder}/{name}", target=target, library=library)


def _link_targets(folder: Path) -> dict[str, str]:
    return {
        path.name: path.readlink().name
        for path in folder.iterdir()
        if ".so" in path.name and path.is_symlink()
    }


def _end_of(name: str, targets: Mapping[str, str]) -> str:
    for _ in range(_LONGEST_CHAIN):
        if name not in targets:
            break
        name = targets[name]
    return name


def _firmware(root: Path, facts: NodeFacts) -> tuple[str, ...]:
    for folder in _FIRMWARE_FOLDERS:
        ours = f"{folder}/{facts.driver_version}"
        found = tuple(f"{ours}/{path.name}" for path in sorted(_below(root, ours).glob("gsp*.bin")))
        if found:
            return found
    return ()


def _nodes(root: Path) -> Iterator[DeviceNode]:
    for path in sorted((root / "dev").glob("nvidia*")):
        if not path.is_dir():
            yield _node(f"/dev/{path.name}", path)


def _node(known_as: str, path: Path) -> DeviceNode:
    status = path.stat()
    if not stat.S_ISCHR(status.st_mode):
        return DeviceNode(known_as)
    return DeviceNode(known_as, os.major(status.st_rdev), os.minor(status.st_rdev))


def _display_nodes(root: Path, sysfs: Path) -> dict[str, tuple[DeviceNode, ...]]:
    found: dict[str, tuple[DeviceNode, ...]] = {}
    for path in sorted((sysfs / "sys/bus/pci/devices").glob("*/drm/*")):
        node = root / "dev/dri" / path.name
        if node.exists():
            bus_id = path.parent.parent.name
            found[bus_id] = (*found.get(bus_id, ()), _node(f"/dev/dri/{path.name}", node))
    return found
