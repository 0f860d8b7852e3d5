"""The driver's installation in a container: what all GPUs of a claim need once.

The libraries, programs and firmware of the driver that runs, the control nodes, the sockets of its daemons.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename, dirname

from slicewire.node_prep.core.cdi.document import CdiMount, ContainerEdits
from slicewire.node_prep.core.cdi.hooks import for_libraries
from slicewire.node_prep.core.cdi.parts import shared_node
from slicewire.node_prep.core.driver import Driver

NOTHING_ELSE = ContainerEdits(env=("NVIDIA_VISIBLE_DEVICES=void",))
"""An image may ask an older runtime for all GPUs by this variable's default; it gets the claim's only."""
_CONTROL_NODES = ("/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
_MOUNT_OPTIONS = ("ro", "nosuid", "nodev", "rbind", "rprivate")
_LIBCUDA = "libcuda.so."


def installation(driver: Driver) -> ContainerEdits:
    nodes = (driver.nodes[path] for path in _CONTROL_NODES if path in driver.nodes)
    found = ContainerEdits(
        env=tuple(_where_libcuda_is(driver)),
        device_nodes=tuple(shared_node(node, driver) for node in nodes),
        mounts=tuple(_mounts(driver)),
        hooks=for_libraries(driver),
    )
    return found + NOTHING_ELSE


def _where_libcuda_is(driver: Driver) -> Iterator[str]:
    folders = dict.fromkeys(dirname(path) for path in driver.libraries if basename(path).startswith(_LIBCUDA))
    if folders:
        yield f"NVIDIA_CTK_LIBCUDA_DIR={':'.join(folders)}"


def _mounts(driver: Driver) -> Iterator[CdiMount]:
    for path in (*driver.files, *driver.libraries):
        yield _mount(driver, path, path)
    if not driver.cdi_hook:
        yield from _mounts_in_place_of_the_hook(driver)
    for path in driver.sockets:
        yield _mount(driver, path, path, "noexec")


def _mounts_in_place_of_the_hook(driver: Driver) -> Iterator[CdiMount]:
    """Nobody makes links in the container or tells its loader of the libraries: they are mounted under every
    name programs load, and where the loaders of all distributions look unasked (ld.so(8): the cache is
    followed by the default folders, which differ between Debian's kin and Red Hat's)."""
    by_name = {path: path for path in driver.libraries} | {link.path: link.library for link in driver.links}
    main = {dirname(path) for path in driver.libraries if basename(path).startswith(_LIBCUDA)}
    elsewhere = {
        f"{folder}/{basename(path)}": library
        for folder in driver.loader_folders
        for path, library in by_name.items()
        if dirname(path) in main
    }
    for path, library in (elsewhere | by_name).items():
        if path not in driver.libraries:
            yield _mount(driver, library, path)


def _mount(driver: Driver, path: str, container_path: str, *more: str) -> CdiMount:
    return CdiMount(
        host_path=driver.on_host(path), container_path=container_path, options=(*_MOUNT_OPTIONS, *more)
    )
