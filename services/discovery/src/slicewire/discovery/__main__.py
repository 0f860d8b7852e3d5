"""Run discovery: read the settings, open the edges, keep the bus told until told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.joining import joined
from slicewire.common.bus.port import Bus
from slicewire.common.nvml.port import Nvml
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.settings import from_environ
from slicewire.discovery import many
from slicewire.discovery.checkup import Checkup
from slicewire.discovery.command import parsed
from slicewire.discovery.metrics import PART as MEASURED
from slicewire.discovery.once import look_once, looker
from slicewire.discovery.remembering import Memory
from slicewire.discovery.seeing import SeeingNvml
from slicewire.discovery.service import Discovery
from slicewire.discovery.settings import PART, Settings
from slicewire.discovery.watching import Watch, kernel_of


async def serve(policy: str = "") -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    readiness = health.Readiness()
    connect = partial(joined, settings, f"discovery-{settings.node_name}")
    build = partial(_discovery, policy)
    with (
        telemetry.exporting("discovery", settings.node_name, settings.otlp_endpoint, settings.trace_sample),
        health.serving(settings.health_port, readiness, MEASURED),
    ):
        if settings.nodes:
            await many.serve(settings, connect, readiness, build)
        else:
            await _serve_one(settings, connect, readiness, build)


async def _serve_one(
    settings: Settings, connect: many.Connect, readiness: health.Readiness, build: many.Build
) -> None:
    with closing(await asyncio.to_thread(open_nvml, settings.nvml)) as nvml:
        async with connect() as bus:
            discovery = build(settings, nvml, bus)
            readiness.follows(discovery.is_ready)
            await discovery.run()


def _discovery(policy: str, settings: Settings, nvml: Nvml, bus: Bus) -> Discovery:
    """Of the one node that the settings name."""
    watch = Watch(nvml, kernel_of(nvml.sysfs_root))
    return Discovery(bus, watch, _checkup(settings, nvml, policy), settings.look_every_seconds)


def _checkup(settings: Settings, nvml: Nvml, policy: str) -> Checkup:
    seeing = SeeingNvml(nvml)
    sysfs_root = Path(settings.sysfs_root) if settings.sysfs_root else nvml.sysfs_root
    memory = Memory(Path(settings.health_file) if settings.health_file else None)
    return Checkup(looker(settings, seeing, policy), seeing, sysfs_root, memory)


def main() -> None:
    arguments = parsed(sys.argv[1:])
    settings = partial(from_environ, Settings, PART, os.environ)
    running.run(
        partial(look_once, arguments, settings) if arguments.once else partial(serve, arguments.policy)
    )


if __name__ == "__main__":
    main()
