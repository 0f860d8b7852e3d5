"""Run node-prep: read the settings, open the edges, serve until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.nats import connected
from slicewire.common.model import NodeName
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.settings import described, from_environ
from slicewire.node_prep import kubelet, many
from slicewire.node_prep.boot import boot_id
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import executors
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.journal import Journal
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.settings import PART, Settings
from slicewire.node_prep.upkeep import Upkeep


async def serve() -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    name = f"node-prep-{settings.node_name}"
    connect = partial(connected, settings.nats_url, name=name, credentials=settings.nats_credentials)
    with telemetry.exporting("node-prep", settings.node_name, settings.otlp_endpoint):
        await (_serve_many if settings.nodes else _serve_one)(settings, connect)


async def _serve_many(settings: Settings, connect: many.Connect) -> None:
    fleet = many.Fleet(settings, lambda own, nvml: _parts(own, nvml)[1])
    with health.serving(settings.health_port, fleet.is_ready):
        await fleet.run(connect)


async def _serve_one(settings: Settings, connect: many.Connect) -> None:
    sockets = kubelet.sockets(settings.driver, Path(settings.plugin_dir), Path(settings.registry_dir))
    with closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml:
        node_prep, upkeep = _parts(settings, nvml)
        asked = kubelet.serving(node_prep, settings.driver, sockets) if settings.kubelet else nullcontext()
        with health.serving(settings.health_port, upkeep.is_ready):
            await upkeep.run(connect, asked)


def _parts(settings: Settings, nvml: NvmlControl) -> tuple[NodePrep, Upkeep]:
    """Of the one node that the settings name: who answers, and who keeps it in step."""
    driver = DriverRoot(nvml, settings.host_driver_root)
    cdi_root = Path(settings.cdi_root)
    journal = Journal(Path(settings.plugin_dir) / "checkpoint.json", boot_id(nvml.sysfs_root))
    preparation = Preparation(journal, executors(nvml, driver, cdi_root), cdi_root)
    hearing = Hearing(NodeName(settings.node_name), settings.driver)
    node_prep = NodePrep(hearing, preparation, settings.ledger_wait_seconds)
    return node_prep, Upkeep(
        node_prep, hearing, preparation, Asker.KUBELET if settings.kubelet else Asker.BUS
    )


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
