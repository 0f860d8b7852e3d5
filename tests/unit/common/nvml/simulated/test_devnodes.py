"""`/dev` of a simulated node: real character devices where we may make them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slicewire.common.nvml.simulated import devnodes
from slicewire.common.nvml.simulated.state import NodeState, new_node

NODE = new_node("node-a", "h100", 2)
CONTROL = ("ctl", "-modeset", "-uvm", "-uvm-tools")
_NULL = os.makedev(1, 3)
_GIVING_UP = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(24, 27, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_MKNOD: gone with the next exec\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
_PLANTING = (
    "import pathlib, sys\n"
    "from slicewire.common.nvml.simulated.devnodes import plant_nodes\n"
    "from slicewire.common.nvml.simulated.state import new_node\n"
    "plant_nodes(pathlib.Path(sys.argv[1]), new_node('node-a', 'h100', 2).gpus, ())\n"
)


def plant(dev: Path, node: NodeState = NODE) -> None:
    by_driver = {
        driver: [gpu for gpu in node.gpus if gpu.kernel_driver == driver] for driver in ("nvidia", "vfio-pci")
    }
    devnodes.plant_nodes(dev, by_driver["nvidia"], by_driver["vfio-pci"])


def can_make_devices(folder: Path) -> bool:
    try:
        os.mknod(folder / "probe", 0o20666, _NULL)
    except OSError:
        return False
    (folder / "probe").unlink()
    return True


@pytest.fixture
def privileged(tmp_path: Path) -> Path:
    if not can_make_devices(tmp_path):
        pytest.skip("character devices cannot be made here: it takes root and CAP_MKNOD")
    return tmp_path / "dev"


def names(folder: Path) -> set[str]:
    return {found.name for found in folder.iterdir()}


def test_what_may_be_made_is_a_character_device_that_all_may_use(privileged: Path) -> None:
    plant(privileged)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "vfio/vfio"):
        status = (privileged / name).stat()
        assert (privileged / name).is_char_device()
        assert (status.st_rdev, status.st_mode & 0o777) == (_NULL, 0o666)


def test_a_plain_file_gives_way_to_a_device_and_a_device_stays(privileged: Path) -> None:
    (privileged / "vfio").mkdir(parents=True)
    (privileged / "nvidia0").touch()
    plant(privileged)
    before = (privileged / "nvidia0").stat().st_ino
    plant(privileged)
    assert (privileged / "nvidia0").is_char_device()
    assert (privileged / "nvidia0").stat().st_ino == before


def test_without_the_right_to_make_devices_they_are_plain_files(tmp_path: Path) -> None:
    """In a process that has given the right up, where we have it."""
    command = [sys.executable, "-c", _GIVING_UP, sys.executable, "-c", _PLANTING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "nvidia0").is_file()
    assert names(tmp_path) == {"iommu", "vfio", *(f"nvidia{one}" for one in CONTROL), "nvidia0", "nvidia1"}


def test_a_gpu_that_vfio_has_is_there_by_group_and_by_name_and_no_more_as_a_gpu(tmp_path: Path) -> None:
    plant(tmp_path)
    plant(tmp_path, NODE.with_changed(1, kernel_driver="vfio-pci"))
    assert "nvidia1" not in names(tmp_path)
    assert names(tmp_path / "vfio") == {"vfio", "1", "devices"}
    assert names(tmp_path / "vfio/devices") == {"vfio1"}
    plant(tmp_path)
    assert names(tmp_path / "vfio") == {"vfio", "devices"}
    assert names(tmp_path / "vfio/devices") == set()
