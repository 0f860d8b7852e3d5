"""Run the publisher: read the settings, open the edges, keep both sides true until told to stop."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import uuid
from datetime import timedelta
from functools import partial

from slicewire.common import health, logs, running, telemetry
from slicewire.common.bus.joining import joined
from slicewire.common.settings import described, from_environ
from slicewire.publisher import kube
from slicewire.publisher.core.lease import Candidate
from slicewire.publisher.election import Alone, Election, resigning
from slicewire.publisher.metrics import PART as MEASURED
from slicewire.publisher.service import Policy, Publisher
from slicewire.publisher.settings import PART, Settings


async def serve(kubeconfig: str) -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    readiness = health.Readiness()
    with (
        telemetry.exporting("publisher", settings.instance, settings.otlp_endpoint, settings.trace_sample),
        health.serving(settings.health_port, readiness, MEASURED),
    ):
        async with (
            kube.connected(
                kubeconfig or settings.kubeconfig,
                settings.context,
                settings.requests_a_second,
                settings.request_burst,
            ) as api,
            joined(settings, settings.instance) as bus,
            resigning(_leadership(settings, api)) as leadership,
        ):
            publisher = Publisher(bus, api, settings.workers, leadership, _policy(settings))
            readiness.follows(publisher.is_ready, lambda: publisher.role)
            await publisher.run()


def _policy(settings: Settings) -> Policy:
    return Policy(
        instance=settings.instance,
        keep_silent=timedelta(seconds=settings.silent_seconds),
        gang_seconds=settings.gang_seconds,
        makes_classes=settings.device_classes,
        roll_call_seconds=settings.roll_call_seconds,
    )


def _leadership(settings: Settings, api: kube.Kube) -> Election | Alone:
    if not settings.lease_seconds:
        return Alone()
    identity = f"{settings.instance}@{socket.gethostname()}/{uuid.uuid4()}"
    candidate = Candidate(identity, settings.lease_seconds)
    return Election(api, candidate, settings.lease_namespace, settings.lease_name)


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
