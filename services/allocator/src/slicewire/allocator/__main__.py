"""Run the allocator: read the settings, open the edges, serve until told to stop."""

from __future__ import annotations

import argparse
import gc
import os

from slicewire.allocator.metrics import PART
from slicewire.allocator.service import Allocator
from slicewire.allocator.settings import Settings
from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.joining import joined
from slicewire.common.settings import described, from_environ

_GARBAGE = (50_000, 20, 50)
"""Claims stay for long: looking through them often finds nothing, and whoever asks then waits."""


async def serve() -> None:
    settings = from_environ(Settings, "ALLOCATOR", os.environ)
    logs.start(settings.log_level, settings.log_format)
    readiness = health.Readiness()
    with (
        telemetry.exporting("allocator", settings.instance, settings.otlp_endpoint, settings.trace_sample),
        health.serving(settings.health_port, readiness, PART),
    ):
        async with joined(settings, settings.instance) as bus:
            gc.disable()  # what is heard of a fleet stays: looking for garbage in it is most of a restart
            allocator = Allocator(bus, settings.untold_nodes, when_caught_up=_keep_what_was_heard)
            readiness.follows(allocator.is_ready)
            await allocator.run()


def _keep_what_was_heard() -> None:
    """From here on only what is new is looked through for garbage: a full pass would hold up answers."""
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    gc.enable()


def main() -> None:
    argparse.ArgumentParser(
        prog="slicewire-allocator",
        description="Which devices for this claim? Decides on what the stream says, commits to the ledger.",
        epilog=described(Settings, "ALLOCATOR"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    running.run(serve)


if __name__ == "__main__":
    main()
