"""The driver's installation in a container, with NVIDIA's hook and without it."""

from __future__ import annotations

from slicewire.node_prep.core.cdi import CdiMount
from slicewire.node_prep.core.cdi.installation import installation
from slicewire.node_prep.core.driver import DeviceNode, Link
from tests.unit.node_prep.builders import VERSION, a_driver

CUDA = f"/usr/lib64/libcuda.so.{VERSION}"
VDPAU = f"/usr/lib64/vdpau/libvdpau_nvidia.so.{VERSION}"
LINK = Link("/usr/lib64/libcuda.so.1", f"libcuda.so.{VERSION}", CUDA)


def by_place(mounts: tuple[CdiMount, ...]) -> dict[str, str]:
    return {mount.container_path: mount.host_path for mount in mounts}


def test_paths_on_the_host_are_below_the_driver_root() -> None:
    edits = installation(a_driver(root="/run/nvidia/driver"))
    assert by_place(edits.mounts)[CUDA] == f"/run/nvidia/driver{CUDA}"
    assert {node.host_path for node in edits.device_nodes} == {
        f"/run/nvidia/driver/dev/{name}" for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
    }


def test_a_node_of_the_hosts_own_dev_is_taken_from_there() -> None:
    control = DeviceNode("/dev/nvidiactl", 195, 255, 0o660, host_path="/dev/nvidiactl")
    [node] = installation(a_driver(root="/opt/nvidia", nodes={control.path: control})).device_nodes
    assert (node.host_path, node.file_mode) == ("/dev/nvidiactl", 0o660)


def test_a_node_without_numbers_leaves_them_to_the_runtime() -> None:
    [node] = installation(a_driver(nodes={"/dev/nvidiactl": DeviceNode("/dev/nvidiactl")})).device_nodes
    assert (node.major, node.minor, node.type) == (None, None, "")


def test_the_hook_makes_links_and_tells_the_loader() -> None:
    edits = installation(a_driver(libraries=(CUDA, VDPAU), links=(LINK,)))
    assert [hook.args[1:] for hook in edits.hooks] == [
        ("create-symlinks", "--link", f"libcuda.so.{VERSION}::/usr/lib64/libcuda.so.1"),
        ("enable-cuda-compat", f"--host-driver-version={VERSION}"),
        ("update-ldcache", "--folder", "/usr/lib64", "--folder", "/usr/lib64/vdpau"),
        ("disable-device-node-modification",),
    ]
    assert "/usr/lib64/libcuda.so.1" not in by_place(edits.mounts)


def test_without_the_hook_libraries_are_mounted_under_the_names_programs_load() -> None:
    edits = installation(a_driver(cdi_hook="", libraries=(CUDA,), links=(LINK,)))
    assert edits.hooks == ()
    assert by_place(edits.mounts)["/usr/lib64/libcuda.so.1"] == CUDA


def test_without_the_hook_libraries_are_where_every_loader_looks() -> None:
    """A host of Red Hat's kin and an image of Debian's, and the other way round."""
    debian = "/usr/lib/x86_64-linux-gnu"
    driver = a_driver(
        cdi_hook="", libraries=(CUDA, VDPAU), links=(LINK,), loader_folders=("/usr/lib64", debian), files=()
    )
    assert by_place(installation(driver).mounts) == {
        CUDA: CUDA,
        VDPAU: VDPAU,
        "/usr/lib64/libcuda.so.1": CUDA,
        f"{debian}/libcuda.so.1": CUDA,
        f"{debian}/libcuda.so.{VERSION}": CUDA,
    }


def test_no_two_mounts_are_at_one_place() -> None:
    for hook in ("", "/usr/bin/nvidia-cdi-hook"):
        mounts = installation(a_driver(cdi_hook=hook, loader_folders=("/usr/lib64", "/usr/lib"))).mounts
        assert len(by_place(mounts)) == len(mounts)


def test_a_socket_is_mounted_so_that_nothing_in_it_runs() -> None:
    driver = a_driver(files=(), libraries=(), sockets=("/run/nvidia-persistenced/socket",))
    [mount] = installation(driver).mounts
    assert "noexec" in mount.options


def test_every_folder_with_libcuda_is_told() -> None:
    other = f"/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.{VERSION}"
    env = installation(a_driver(libraries=(CUDA, other, VDPAU))).env
    assert env == (
        "NVIDIA_CTK_LIBCUDA_DIR=/usr/lib64:/usr/lib/x86_64-linux-gnu/nvidia/current",
        "NVIDIA_VISIBLE_DEVICES=void",
    )
