"""The files of an NVIDIA driver below its root: libraries and the names they are loaded by, programs,
firmware, what graphics libraries read, sockets of its daemons.

It reads and never interprets. Every path is as it is below the root. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from slicewire.node_prep.core.driver import Link

LIBRARY_FOLDERS = (
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu/nvidia/current",
)
_PLUGIN_FOLDER = "vdpau"
_OTHER_LIBRARIES = ("libnvidia-nvvm70.so.*", "libnvidia-egl-gbm.so.*.*", "libnvidia-egl-wayland.so.*.*")
"""The driver's too, with versions of their own."""
_LOADED_UNVERSIONED = ("libcuda.so", "libnvidia-opticalflow.so")
_PROGRAM_FOLDERS = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
_PROGRAMS = (
    "nvidia-smi",
    "nvidia-debugdump",
    "nvidia-persistenced",
    "nvidia-cuda-mps-control",
    "nvidia-cuda-mps-server",
    "nvidia-imex",
    "nvidia-imex-ctl",
)
_GRAPHICS_FOLDERS = ("/etc", "/usr/share")
_GRAPHICS_FILES = (
    "glvnd/egl_vendor.d/10_nvidia.json",
    "egl/egl_external_platform.d/15_nvidia_gbm.json",
    "egl/egl_external_platform.d/10_nvidia_wayland.json",
    "vulkan/icd.d/nvidia_icd.json",
    "vulkan/icd.d/nvidia_layers.json",
    "vulkan/implicit_layer.d/nvidia_layers.json",
    "nvidia/nvoptix.bin",
)
_SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket", "/tmp/nvidia-mps")  # noqa: S108 - a fixed name of NVIDIA's
_FIRMWARE_FOLDERS = (
    "/lib/firmware/updates/{kernel}",
    "/lib/firmware/updates",
    "/lib/firmware/{kernel}",
    "/lib/firmware",
    "/usr/lib/firmware",
)
"""Where the kernel looks for firmware, in its order."""
_LONGEST_CHAIN = 8
"""Links to follow from `libcuda.so` before giving up on a loop."""


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def present(root: Path, *paths: str) -> tuple[str, ...]:
    return tuple(path for path in paths if os.path.exists(f"{root}{path}"))  # noqa: PTH110 - for every claim


def sockets(root: Path) -> tuple[str, ...]:
    return present(root, *_SOCKETS)


def program(root: Path, name: str) -> Path | None:
    """As we have it."""
    found = next(_each_once(root, (name,), _PROGRAM_FOLDERS), None)
    return None if found is None else _below(root, found)


def programs(root: Path) -> tuple[str, ...]:
    return tuple(_each_once(root, _PROGRAMS, _PROGRAM_FOLDERS))


def graphics(root: Path) -> tuple[str, ...]:
    return tuple(_each_once(root, _GRAPHICS_FILES, _GRAPHICS_FOLDERS))


def _each_once(root: Path, names: tuple[str, ...], folders: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from present(root, *(f"{folder}/{name}" for folder in folders))[:1]


def libraries(root: Path, version: str) -> Iterator[str]:
    seen: set[str] = set()
    for folder in LIBRARY_FOLDERS:
        here = _below(root, folder)
        real = os.path.realpath(here)  # /lib64 is often a link to /usr/lib64
        if real in seen or not here.is_dir():
            continue
        seen.add(real)
        for part in (folder, f"{folder}/{_PLUGIN_FOLDER}"):
            yield from (f"{part}/{name}" for name in _names(_below(root, part), version))


def _names(folder: Path, version: str) -> Iterator[str]:
    yield from (path.name for path in sorted(folder.glob(f"*.so.{version}")))
    for pattern in _OTHER_LIBRARIES:
        yield from (path.name for path in sorted(folder.glob(pattern)) if not path.is_symlink())


def links(root: Path, known: tuple[str, ...]) -> Iterator[Link]:
    """The names programs load the libraries by. Some are loaded without any version, by names that few
    hosts have outside their development packages."""
    folders = dict.fromkeys(library.rpartition("/")[0] for library in known)
    for folder in folders:
        targets = _link_targets(_below(root, folder))
        for name in _LOADED_UNVERSIONED:
            if name not in targets and f"{name}.1" in targets:
                targets[name] = f"{name}.1"
        for name, target in sorted(targets.items()):
            library = f"{folder}/{_end_of(name, targets)}"
            if library in known:
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


def folders(version: str) -> Iterator[str]:
    """All that the above and `firmware` look into; what is not there may come."""
    for folder in LIBRARY_FOLDERS:
        yield from (folder, f"{folder}/{_PLUGIN_FOLDER}")
    yield from _PROGRAM_FOLDERS
    for folder in _GRAPHICS_FOLDERS:
        yield from dict.fromkeys(f"{folder}/{name}".rpartition("/")[0] for name in _GRAPHICS_FILES)
    yield from _firmware_folders(version)


def _firmware_folders(version: str) -> Iterator[str]:
    release = os.uname().release
    return (f"{folder.format(kernel=release)}/nvidia/{version}" for folder in _FIRMWARE_FOLDERS)


def firmware(root: Path, version: str) -> tuple[str, ...]:
    """What the GPU's own processor runs."""
    for ours in _firmware_folders(version):
        found = tuple(f"{ours}/{path.name}" for path in sorted(_below(root, ours).glob("gsp*.bin")))
        if found:
            return found
    return ()
