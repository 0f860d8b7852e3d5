"""Run node-prep: read the settings, open the edges, serve until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.joining import joined
from slicewire.common.model import NodeName
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.settings import described, from_environ
from slicewire.node_prep import claimsource, kubelet, many
from slicewire.node_prep.allocations import Allocations
from slicewire.node_prep.boot import boot_id
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.driverroot import DriverRoot, Places
from slicewire.node_prep.executors import Handover, Patience, executors, handover_of
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.journal import CHECKPOINT_FILE, Journal
from slicewire.node_prep.lastinventory import INVENTORY_FILE, LastInventory
from slicewire.node_prep.metadatafiles import MetadataFiles
from slicewire.node_prep.metrics import PART as MEASURED
from slicewire.node_prep.mpsoffer import mps_here
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.settings import PART, Settings
from slicewire.node_prep.turns import Turns
from slicewire.node_prep.upkeep import Upkeep
from slicewire.node_prep.watch import HealthWatch

_AT_ONCE = 64
"""Steps in threads, of which some wait for seconds (an MPS control daemon, a GPU to be let go): one on each
GPU must hold up nobody else."""


async def serve() -> None:
    gc.freeze()  # what was loaded stays: looking through it again and again held up claims
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_AT_ONCE, "node-prep"))
    connect = partial(joined, settings, f"node-prep-{settings.node_name}")
    with telemetry.exporting("node-prep", settings.node_name, settings.otlp_endpoint, settings.trace_sample):
        await (_serve_many if settings.nodes else _serve_one)(settings, connect)


async def _serve_many(settings: Settings, connect: many.Connect) -> None:
    fleet = many.Fleet(settings, _without_kubelet)
    with health.serving(settings.health_port, fleet.is_ready, MEASURED):
        await fleet.run(connect)


def _without_kubelet(settings: Settings, nvml: NvmlControl) -> Callable[[many.Connect], Awaitable[None]]:
    parts = _parts(settings, nvml)
    return lambda connect: parts.upkeep.run(connect, parts.node_prep.answering(nullcontext()))


async def _serve_one(settings: Settings, connect: many.Connect) -> None:
    plugin_dir, registry_dir = Path(settings.plugin_dir), Path(settings.registry_dir)
    sockets = kubelet.sockets(settings.driver, plugin_dir, registry_dir, settings.instance)
    with closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml:
        parts = _parts(settings, nvml)
        asked = kubelet.Asked(
            parts.node_prep, HealthWatch(parts.hearing), parts.upkeep.is_ready, settings.grpc_probe_port
        )
        doors = kubelet.serving(asked, settings.driver, sockets) if settings.kubelet else nullcontext()
        with health.serving(settings.health_port, parts.upkeep.is_ready, MEASURED):
            await parts.upkeep.run(connect, parts.node_prep.answering(doors))


class _Parts(NamedTuple):
    hearing: Hearing
    node_prep: NodePrep
    upkeep: Upkeep


def _parts(settings: Settings, nvml: NvmlControl) -> _Parts:
    """Of the one node that the settings name: who hears, who answers, and who keeps it in step."""
    places = Places(
        driver_root=settings.host_driver_root,
        host_root=Path(settings.host_root),
        cdi_hook=settings.cdi_hook,
    )
    driver = DriverRoot(nvml, places=places)
    plugin_dir, cdi_root = Path(settings.plugin_dir), Path(settings.cdi_root)
    journal = Journal(plugin_dir / CHECKPOINT_FILE, boot_id(nvml.sysfs_root))
    metadata = MetadataFiles(settings.driver, plugin_dir, cdi_root)
    table = executors(nvml, driver, cdi_root, mps_here(settings), _vfio(settings, nvml), metadata)
    preparation = Preparation(journal, table, cdi_root)
    turns = Turns(plugin_dir)
    hearing = Hearing(NodeName(settings.node_name), settings.driver, turns.was_last_ours)
    kubernetes = claimsource.source(settings.kubeconfig, settings.driver)
    allocations = Allocations(hearing, settings.ledger_wait_seconds, kubernetes)
    node_prep = NodePrep(hearing, preparation, turns, allocations, describes=settings.device_metadata)
    heir = Asker.KUBELET if settings.kubelet else Asker.BUS
    inventory = LastInventory(hearing, plugin_dir / INVENTORY_FILE) if kubernetes else None
    return _Parts(hearing, node_prep, Upkeep(node_prep, hearing, preparation, heir, inventory))


def _vfio(settings: Settings, nvml: NvmlControl) -> Handover:
    patience = Patience(free_seconds=settings.vfio_wait_seconds)
    return handover_of(nvml, Path(settings.host_root), patience)


def main() -> None:
    argparse.ArgumentParser(
        prog="slicewire-node-prep",
        description="Makes the devices that claims were given usable in containers: asked by the kubelet,"
        " or over the bus. It never decides who gets what.",
        epilog=described(Settings, PART),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    running.run(serve)


if __name__ == "__main__":
    main()
