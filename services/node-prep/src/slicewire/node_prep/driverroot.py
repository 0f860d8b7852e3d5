"""What the NVIDIA driver has put on this node: libraries, programs, firmware, the GPUs that answer.

It reads and never interprets; what of it a container gets is decided in core/cdi. All of it
blocks: call it in a thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.common.nvml.port import Nvml, NvmlAbsent
from slicewire.node_prep import devicenodes, driverfiles
from slicewire.node_prep.core.driver import (
    Driver,
    DriverAbsent,
    Kernel,
    SeenGpu,
    SeenPartition,
    bus_id,
)
from slicewire.node_prep.installed import Installation

_HOOKS = ("/usr/bin/nvidia-cdi-hook", "/usr/local/nvidia/toolkit/nvidia-cdi-hook")
_NO_HOOK = "none"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are that cannot be found out from here."""

    driver_root: str = ""
    """The driver's root, as the host has it, where container runtimes run; empty: as we have it."""
    host_root: Path = Path("/")
    """The host's root, as we have it; its /dev is used where the driver has none of its own."""
    cdi_hook: str = ""
    """NVIDIA's hook, as the host has it; empty: in the driver's root, if it is there; `none`: not used."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What of the kernel's must be read; reading it takes longer than most of the rest."""

    partitions: bool = True
    machines: bool = True
    """GPUs for virtual machines."""


_EVERYTHING = Wanted()
_AS_WE_HAVE_IT = Places()


class _Look(msgspec.Struct, frozen=True):
    begun: float
    wanted: Wanted
    found: Driver | DriverAbsent


class DriverRoot:
    def __init__(
        self, nvml: Nvml, places: Places = _AS_WE_HAVE_IT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._nvml = nvml
        on_host = places.driver_root or str(nvml.driver_root)
        self._places = msgspec.structs.replace(places, driver_root=on_host)
        self._looking = threading.Lock()
        self._latest: _Look | None = None
        self._installation = Installation(nvml.driver_root)

    def look(self, wanted: Wanted = _EVERYTHING) -> Driver | DriverAbsent:
        """Everything as it is now: a driver may come, go and change while we run. Who asks while another's
        look is under way waits for the next one, and all who wait share that."""
        asked = self._clock()
        with self._looking:
            if self._latest is None or self._latest.wanted != wanted or self._latest.begun < asked:
                self._latest = _Look(self._clock(), wanted, self._look(wanted))
            return self._latest.found

    def _look(self, wanted: Wanted) -> Driver | DriverAbsent:
        facts = self._nvml.look()
        try:
            kernel = self._kernel(wanted)
            if isinstance(facts, NvmlAbsent):
                return _absent(kernel, facts.reason)
            return self._found(facts, kernel, wanted)
        except OSError as error:
            return DriverAbsent(f"reading the driver root {self._nvml.driver_root}: {error}")

    def _kernel(self, wanted: Wanted) -> Kernel:
        root, on_host = self._dev()
        return Kernel(
            root=self._places.driver_root,
            nodes=devicenodes.nodes(root, on_host),
            vfio=devicenodes.vfio(self._nvml.sysfs_root) if wanted.machines else {},
        )

    def _dev(self) -> tuple[Path, str]:
        """Where /dev is as we have it, and as the host has it."""
        ours = devicenodes.dev_root(self._nvml.driver_root, self._places.host_root)
        return ours, self._places.driver_root if ours == self._nvml.driver_root else "/"

    def _found(self, facts: NodeFacts, kernel: Kernel, wanted: Wanted) -> Driver | DriverAbsent:
        root, sysfs = self._nvml.driver_root, self._nvml.sysfs_root
        dev, dev_on_host = self._dev()
        installed = self._installation.of(facts.driver_version)
        if not installed.libraries:
            return _absent(
                kernel,
                f"no libraries of driver {facts.driver_version} (*.so.{facts.driver_version}) under {root} in"
                f" {', '.join(driverfiles.LIBRARY_FOLDERS)}",
            )
        return Driver(
            root=kernel.root,
            nodes=kernel.nodes,
            vfio=kernel.vfio,
            version=facts.driver_version,
            libraries=installed.libraries,
            links=installed.links,
            files=installed.files,
            sockets=driverfiles.sockets(root),
            cdi_hook=self._hook(kernel),
            loader_folders=("/usr/lib64", f"/usr/lib/{os.uname().machine}-linux-gnu"),
            gpus={gpu.uuid: SeenGpu(gpu.minor, bus_id(gpu.pci_bus_id)) for gpu in facts.gpus},
            partitions=tuple(one for gpu in facts.gpus for one in _partitions(gpu)),
            display_nodes=devicenodes.display_nodes(dev, sysfs, dev_on_host),
            display_links=devicenodes.display_links(dev),
            capabilities_major=devicenodes.capabilities_major(sysfs),
            capabilities=devicenodes.capabilities(sysfs) if wanted.partitions else {},
        )

    def _hook(self, kernel: Kernel) -> str:
        if self._places.cdi_hook == _NO_HOOK:
            return ""
        found = driverfiles.present(self._nvml.driver_root, *_HOOKS)
        return self._places.cdi_hook or (kernel.on_host(found[0]) if found else "")


def _absent(kernel: Kernel, reason: str) -> DriverAbsent:
    return DriverAbsent(reason, root=kernel.root, nodes=kernel.nodes, vfio=kernel.vfio)


def _partitions(gpu: GpuFacts) -> Iterator[SeenPartition]:
    for instance in gpu.mig.instances if gpu.mig is not None else ():
        for inside in instance.compute_instances:
            yield SeenPartition(
                uuid=inside.uuid,
                gpu=gpu.uuid,
                profile_id=instance.profile_id,
                start=instance.placement.start,
                gpu_instance=instance.id,
                compute_instance=inside.id,
            )
