"""The same with nothing but nats-py and json: what a tool in any language would do.

    python examples/subscribers/with_nats_py.py [--since 2026-11-24T10:00:00Z | --from 4711]

Without an option: the newest fact of every pool, then every change (stream SLICEWIRE_STATE). With one:
everything that was told since that time, or from that event on (stream SLICEWIRE_HISTORY).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

SUBJECT = "slicewire.v1.state.inventory.>"


def wanted(arguments: argparse.Namespace) -> tuple[str, ConsumerConfig]:
    if arguments.since:
        return "SLICEWIRE_HISTORY", ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=arguments.since
        )
    if arguments.first:
        return "SLICEWIRE_HISTORY", ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=arguments.first
        )
    return "SLICEWIRE_STATE", ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Print the pools of the fleet, and their changes.")
    parser.add_argument("--since", metavar="TIME", help="replay from this time on (RFC 3339)")
    parser.add_argument("--from", dest="first", metavar="N", type=int, help="replay from this event on")
    stream, config = wanted(parser.parse_args())
    bus = await nats.connect(os.environ.get("SLICEWIRE_NATS_URL", "nats://127.0.0.1:4222"))
    # An ordered consumer numbers its messages and begins anew after a gap: none is ever missed.
    subscription = await bus.jetstream().subscribe(
        SUBJECT, stream=stream, ordered_consumer=True, config=config
    )
    try:
        async for message in subscription.messages:
            pool = json.loads(message.data)
            told = message.headers or {}
            sequence = message.metadata.sequence.stream
            if pool is None:  # the end of a key
                print(f"{sequence} {message.subject}: gone", flush=True)
                continue
            print(
                f"{sequence} {told.get('ce-time')} {pool['node']}: generation {pool['generation']},"
                f" {len(pool.get('devices', []))} devices",
                flush=True,
            )
    finally:
        await bus.close()


if __name__ == "__main__":
    asyncio.run(main())
