"""The same with nothing but nats-py and json: what a tool in any language would do.

    python examples/subscribers/with_nats_py.py [--since 2026-11-24T10:00:00Z | --from 4711]

Without an option: the newest fact of every pool, then every change (stream SLICEWIRE_STATE). With one:
everything that was told since that time, or from that event on (stream SLICEWIRE_HISTORY).

On a secured bus (SLICEWIRE_NATS_URL=tls://nats-1.example.com:4222) files say who we are, and whom we believe:

    SLICEWIRE_NATS_CREDENTIALS=slicewire-bus/clients/readers/grafana.creds
    SLICEWIRE_NATS_CA=slicewire-bus/clients/ca.crt
    SLICEWIRE_READER=grafana        (where the file was given another name)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NoAnswer
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import ServiceUnavailableError

SUBJECT = "slicewire.v1.state.inventory.>"
HEARTBEAT_SECONDS = 2


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


def ourselves() -> tuple[dict[str, Any], str]:
    """Who we are, for `connect`; and by which name JetStream is called."""
    credentials = os.environ.get("SLICEWIRE_NATS_CREDENTIALS")
    if not credentials:
        return {}, "$JS.API"
    # Each identity has an inbox of its own; readers and users call JetStream by a name of theirs.
    reader = os.environ.get("SLICEWIRE_READER") or Path(credentials).stem
    return {
        "user_credentials": credentials,
        "tls": ssl.create_default_context(cafile=os.environ.get("SLICEWIRE_NATS_CA")),
        "inbox_prefix": f"_INBOX.reader.{reader}",
    }, "slicewire.js.API"


async def in_order(bus: Client, api: str, stream: str, config: ConsumerConfig) -> AsyncIterator[Msg]:
    """None is missed: after a gap or a silence the consumer is made anew, behind the last message."""
    while True:
        subscription = await bus.subscribe(bus.new_inbox())
        try:
            # Its filter stands in the subject of the request only where the consumer has a name.
            made = config.evolve(
                name=f"follower-{secrets.token_hex(8)}",
                deliver_subject=subscription.subject,
                filter_subject=SUBJECT,
                ack_policy=AckPolicy.NONE,
                idle_heartbeat=HEARTBEAT_SECONDS,
                inactive_threshold=30,
            )
            await bus.jsm(prefix=api).add_consumer(stream, made)
            delivered = 0
            while True:
                message = await subscription.next_msg(timeout=3 * HEARTBEAT_SECONDS)
                if not message.reply:  # a heartbeat: it says how many there were
                    if int((message.headers or {})["Nats-Last-Consumer"]) != delivered:
                        break
                    continue
                delivered += 1
                if message.metadata.sequence.consumer != delivered:
                    break
                yield message
                config = ConsumerConfig(
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=message.metadata.sequence.stream + 1,
                )
        except (NoAnswer, NoRespondersError, ServiceUnavailableError):
            await asyncio.sleep(1)  # the bus is away
        finally:
            await subscription.unsubscribe()


async def main() -> None:
    parser = argparse.ArgumentParser(description="Print the pools of the fleet, and their changes.")
    parser.add_argument("--since", metavar="TIME", help="replay from this time on (RFC 3339)")
    parser.add_argument("--from", dest="first", metavar="N", type=int, help="replay from this event on")
    stream, config = wanted(parser.parse_args())
    options, api = ourselves()
    bus = await nats.connect(os.environ.get("SLICEWIRE_NATS_URL", "nats://127.0.0.1:4222"), **options)
    try:
        async for message in in_order(bus, api, stream, config):
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
