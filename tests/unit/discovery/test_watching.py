"""Whoever looks is woken by NVML and by the kernel, for GPUs alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import Event, EventKind
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.state import new_node
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.discovery.watching import Watch, concerns_gpus, kernel_events, kernel_of

A_GPU_CAME = (
    b"add@/devices/pci0000:00/0000:00:01.0/0000:1a:00.0\0ACTION=add\0SUBSYSTEM=pci\0PCI_CLASS=30200\0"
    b"PCI_ID=10DE:2330\0PCI_SLOT_NAME=0000:1a:00.0\0SEQNUM=4711"
)
A_DISK_CAME = b"add@/devices/virtual/block/loop7\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=loop7\0SEQNUM=4712"


@pytest.mark.parametrize(
    ("message", "concerns"),
    [
        (A_GPU_CAME, True),
        (A_GPU_CAME.replace(b"add", b"bind"), True),
        (b"add@/module/nvidia\0ACTION=add\0DEVPATH=/module/nvidia\0SUBSYSTEM=module\0SEQNUM=1", True),
        (b"remove@/module/vfio_pci\0ACTION=remove\0DEVPATH=/module/vfio_pci\0SUBSYSTEM=module", True),
        (b"add@/module/nvidia_uvm\0ACTION=add\0DEVPATH=/module/nvidia_uvm\0SUBSYSTEM=module", False),
        (A_GPU_CAME.replace(b"10DE", b"15B3"), False),
        (A_DISK_CAME, False),
        (b"libudev\0\xfe\xed\xca\xfe", False),
        (b"", False),
    ],
)
def test_only_what_is_about_gpus_or_their_drivers_wakes(message: bytes, *, concerns: bool) -> None:
    assert concerns_gpus(message) is concerns


def test_the_kernel_can_be_listened_to_or_says_why_not() -> None:
    try:
        kernel_events().close()
    except OSError as error:
        pytest.skip(f"this machine does not let us: {error}")


def test_a_simulated_node_has_no_kernel_to_listen_to(tmp_path: Path) -> None:
    assert kernel_of(Path("/")) is kernel_events
    assert kernel_of(tmp_path) is None


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[Watch, StateFile, socket.socket]]:
    nvml = SimulatedNvml(folder / "gpus.json", new_node("node", "h100", 2))
    nvml.look()
    kernel, listener = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    watch = Watch(nvml, lambda: listener)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    try:
        yield watch, StateFile(folder / "gpus.json"), kernel
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        nvml.close()
        kernel.close()


async def is_woken(watch: Watch, within_seconds: float = 5) -> bool:
    began = asyncio.get_running_loop().time()
    await watch.woken(within_seconds)
    return asyncio.get_running_loop().time() - began < within_seconds


async def test_an_xid_wakes_and_is_handed_out_once(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watch, state, _):
        uuid = state.change(lambda it: befallen(it, 1, "xid=79")).gpu(1).uuid
        assert await is_woken(watch)
        assert watch.taken() == (Event(EventKind.XID, uuid, 79),)
        assert watch.taken() == ()


async def test_a_gpu_that_the_kernel_found_wakes_and_a_disk_does_not(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watch, _, kernel):
        kernel.send(A_DISK_CAME)
        assert not await is_woken(watch, within_seconds=0.05)
        kernel.send(A_GPU_CAME)
        assert await is_woken(watch)
        assert watch.taken() == ()
        assert not await is_woken(watch, within_seconds=0.05)


async def test_where_the_kernel_may_not_be_listened_to_nvml_still_is(tmp_path: Path) -> None:
    nvml = SimulatedNvml(tmp_path / "gpus.json", new_node("node", "h100", 1))
    nvml.look()

    def refused() -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    watch = Watch(nvml, refused)
    running = asyncio.create_task(watch.run())
    StateFile(tmp_path / "gpus.json").change(lambda it: befallen(it, 0, "thermal"))
    assert await is_woken(watch)
    running.cancel()
    nvml.close()
    with suppress(asyncio.CancelledError):
        await running
