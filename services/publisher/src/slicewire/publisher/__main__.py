"""Run the publisher: read the settings, open the edges, keep both sides true until told to stop."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.nats import connected
from slicewire.common.settings import described, from_environ
from slicewire.publisher import kube
from slicewire.publisher.service import Publisher
from slicewire.publisher.settings import PART, Settings


async def serve(kubeconfig: str) -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    readiness = health.Readiness()
    with (
        telemetry.exporting("publisher", settings.instance, settings.otlp_endpoint),
        health.serving(settings.health_port, readiness),
    ):
        async with (
            kube.connected(kubeconfig or settings.kubeconfig, settings.context) as api,
            connected(
                settings.nats_url, name=settings.instance, credentials=settings.nats_credentials
            ) as bus,
        ):
            publisher = Publisher(bus, api, settings.workers)
            readiness.follows(publisher.is_ready)
            await publisher.run()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="slicewire-publisher",
        description="Keep the Kubernetes API telling the truth: slices out; claims, classes and nodes in.",
        epilog=described(Settings, PART),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kubeconfig", default="", help="in place of SLICEWIRE_PUBLISHER_KUBECONFIG")
    running.run(partial(serve, parser.parse_args(sys.argv[1:]).kubeconfig))


if __name__ == "__main__":
    main()
