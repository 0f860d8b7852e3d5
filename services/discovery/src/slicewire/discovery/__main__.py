"""Run discovery: read the settings, open the edges, keep the bus told until told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.nats import connected
from slicewire.common.model import NodeName
from slicewire.common.nvml.port import Nvml
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.settings import from_environ
from slicewire.discovery.command import Form, parsed, shown
from slicewire.discovery.looking import Looker
from slicewire.discovery.service import Discovery
from slicewire.discovery.settings import PART, Settings


async def serve() -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    readiness = health.Readiness()
    with (
        telemetry.exporting("discovery", settings.node_name, settings.otlp_endpoint),
        health.serving(settings.health_port, readiness),
        closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml,
    ):
        async with connected(
            settings.nats_url, name=f"discovery-{settings.node_name}", credentials=settings.nats_credentials
        ) as bus:
            discovery = Discovery(bus, nvml, _looker(settings, nvml), settings.look_every_seconds)
            readiness.follows(discovery.is_ready)
            await discovery.run()


async def look_once(form: Form) -> None:
    settings = from_environ(Settings, PART, os.environ)
    with closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml:
        sys.stdout.write(f"{shown(_looker(settings, nvml).look(), form)}\n")


def _looker(settings: Settings, nvml: Nvml) -> Looker:
    sysfs_root = Path(settings.sysfs_root) if settings.sysfs_root else nvml.sysfs_root
    return Looker(nvml, NodeName(settings.node_name), settings.driver, sysfs_root)


def main() -> None:
    arguments = parsed(sys.argv[1:])
    running.run(partial(look_once, arguments.form) if arguments.once else serve)


if __name__ == "__main__":
    main()
