"""The door to the PCI bus of the kernel: which driver has which device, and who is to have it.

It knows no rule about who may. A write that the kernel does not take is a refusal with the kernel's
reason. All of it blocks: call it in a thread.

A write that takes a driver off may wait for minutes, and goes on when we are killed: the process that waits
says in its environment for which device, so that whoever comes after us finds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from slicewire.node_prep.core.passthrough import Function, Member, module_for, names_of
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.kernelfiles import target, text
from slicewire.node_prep.processes import with_variable

UNDER_WAY = "SLICEWIRE_TAKING_A_DRIVER_OFF"
"""In the environment of who waits for the kernel: the device, as the path of its folder in sysfs."""
_PAUSE_SECONDS = 0.05
_WRITE = """
import os, sys
try:
    os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), sys.argv[2].encode())
except OSError as error:
    sys.exit(error.errno)
"""


class PciBus:
    """`root` is the directory that holds `sys/` and `lib/modules/`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pci = root / "sys/bus/pci"
        self._under_way: dict[str, subprocess.Popen[bytes]] = {}

    def has(self, place: str) -> bool:
        return self._device(place).is_dir()

    def driver(self, place: str) -> str:
        """Empty for none."""
        return target(self._device(place) / "driver")

    def function(self, place: str) -> Function:
        group = self._device(place) / "iommu_group"
        return Function(
            pci_bus_id=place,
            driver=self.driver(place),
            group=target(group),
            members=tuple(_member(path) for path in sorted((group / "devices").glob("*"))),
            virtual_functions=int(text(self._device(place) / "sriov_numvfs") or 0),
        )

    def vfio_nodes(self, place: str) -> tuple[str, ...]:
        """The files of /dev by which a machine has it."""
        device = self._device(place)
        names = (path.name for path in sorted((device / "vfio-dev").glob("vfio*")))
        group = target(device / "iommu_group")
        return (f"/dev/vfio/{group}", *(f"/dev/vfio/devices/{name}" for name in names))

    def override(self, place: str) -> str:
        """The only driver that may have this device; empty for any."""
        given = text(self._device(place) / "driver_override")
        return "" if given == "(null)" else given

    def vfio_module(self, place: str) -> str:
        aliases = self._root / "lib/modules" / os.uname().release / "modules.alias"
        return module_for(text(self._device(place) / "modalias"), text(aliases))

    def has_module(self, module: str) -> bool:
        return (self._root / "sys/module" / module).is_dir()

    def driver_of(self, module: str) -> str:
        """Empty where it is not there."""
        return next((name for name in names_of(module) if (self._pci / "drivers" / name).is_dir()), "")

    def reserve(self, place: str, driver: str) -> PrepareRefusal | None:
        """Only this driver may have it from now on; any, for an empty name. Whoever hears of changes of
        PCI devices is told: they may have it open, and only they can let go."""
        refused = self._write(self._device(place) / "driver_override", f"{driver}\n", os.O_TRUNC)
        if refused is None:
            self._write(self._device(place) / "uevent", "change\n", 0)  # who misses it looks later
        return refused

    def bind(self, place: str, driver: str) -> PrepareRefusal | None:
        return self._write(self._pci / "drivers" / driver / "bind", f"{place}\n", os.O_APPEND)

    def is_unbinding(self, place: str) -> bool:
        """A driver is being taken off, by us or by who was here before us. Until it is done the kernel lets
        nothing else be written, or read, of the device's driver, and does not say whose it is."""
        ours = self._under_way.get(place)
        if ours is not None and ours.poll() is None:
            return True
        device = str(self._device(place))
        return any(environment[UNDER_WAY] == device for _, environment in with_variable(UNDER_WAY))

    def unbind(self, place: str, seconds: float, meanwhile: Callable[[], None]) -> PrepareRefusal | None:
        """The kernel does not return before all have closed the device, and cannot be called off: so
        another process waits for it, and we `seconds` at most. How that of a process before us ended, nobody
        can say: see whether the driver is off."""
        driver, file = self.driver(place) or "that was there", self._device(place) / "driver/unbind"
        if not self.is_unbinding(place):
            self._under_way[place] = self._written_apart(file, place)
        deadline = time.monotonic() + seconds
        while (is_busy := self.is_unbinding(place)) and time.monotonic() < deadline:
            meanwhile()
            self._pause(place)
        if is_busy:
            return PrepareRefusal(Why.BUSY, f"driver {driver} has not let go of {place} within {seconds:g} s")
        ours = self._under_way.pop(place, None)
        return _refused(file, os.strerror(ours.returncode)) if ours is not None and ours.returncode else None

    def _written_apart(self, file: Path, place: str) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-I", "-S", "-c", _WRITE, str(file), f"{place}\n")
        environment = {UNDER_WAY: str(self._device(place))}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)

    def _pause(self, place: str) -> None:
        ours = self._under_way.get(place)
        if ours is None or ours.returncode is not None:
            time.sleep(_PAUSE_SECONDS)
            return
        with suppress(subprocess.TimeoutExpired):
            ours.wait(_PAUSE_SECONDS)

    def _device(self, place: str) -> Path:
        return self._pci / "devices" / place

    def _write(self, file: Path, text: str, how: int) -> PrepareRefusal | None:
        """Never makes a file: what is not there, this kernel does not have."""
        try:
            descriptor = os.open(file, os.O_WRONLY | how)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            return _refused(file, error.strerror or str(error))
        return None


def _member(path: Path) -> Member:
    return Member(pci_bus_id=path.name, pci_class=text(path / "class"), driver=target(path / "driver"))


def _refused(file: Path, reason: str) -> PrepareRefusal:
    return PrepareRefusal(Why.DRIVER, f"writing {file}: {reason}")
