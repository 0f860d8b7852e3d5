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
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.settings import described, from_environ
from slicewire.node_prep import kubelet
from slicewire.node_prep.core.checkpoint import Asker
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.journal import Journal
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.settings import PART, Settings
from slicewire.node_prep.upkeep import Upkeep


async def serve() -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    plugin_dir, name = Path(settings.plugin_dir), f"node-prep-{settings.node_name}"
    sockets = kubelet.sockets(settings.driver, plugin_dir, Path(settings.registry_dir))
    with (
        telemetry.exporting("node-prep", settings.node_name, settings.otlp_endpoint),
        closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml,
    ):
        connect = partial(connected, settings.nats_url, name=name, credentials=settings.nats_credentials)
        driver = DriverRoot(nvml, settings.host_driver_root)
        preparation = Preparation(Journal(plugin_dir / "checkpoint.json"), driver, Path(settings.cdi_root))
        hearing = Hearing(NodeName(settings.node_name), settings.driver)
        node_prep = NodePrep(hearing, preparation, settings.ledger_wait_seconds)
        upkeep = Upkeep(node_prep, hearing, preparation, Asker.KUBELET if settings.kubelet else Asker.BUS)
        asked = kubelet.serving(node_prep, settings.driver, sockets) if settings.kubelet else nullcontext()
        with health.serving(settings.health_port, upkeep.is_ready):
            await upkeep.run(connect, asked)


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
