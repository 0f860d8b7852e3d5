"""Keeps both streams on as many servers as asked: `replicas.py NUMBER`. Run before an allocator starts.

Whoever connects first makes a stream, on one server. This makes it where it is missing, raises the number
where it is lower, and never lowers one that an operator has raised. Fails, to be run again, while there are
fewer servers than that.
"""

import asyncio
import os
import sys

from slicewire.common.bus.nats import connected
from slicewire.common.bus.streams import Retention
from slicewire.common.messages import HISTORY_STREAM, STATE_STREAM


async def main(replicas: int) -> None:
    url = os.environ["SLICEWIRE_NATS_URL"]
    async with connected(url, name="replicas", retention=Retention(replicas=replicas)) as bus:
        for stream in (STATE_STREAM, HISTORY_STREAM):
            config = (await bus.link.api(f"STREAM.INFO.{stream}", {}))["config"]
            if config["num_replicas"] < replicas:
                await bus.link.api(f"STREAM.UPDATE.{stream}", config | {"num_replicas": replicas})


asyncio.run(main(int(sys.argv[1])))
