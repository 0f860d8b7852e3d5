"""Devices by node, class of health, and use, for Prometheus: http://127.0.0.1:9464/metrics

python examples/subscribers/capacity_exporter.py [PORT]     (beside a running `slicewire up`)

`SLICEWIRE_NATS_URL` names another bus; `SLICEWIRE_NATS_CREDENTIALS` and `SLICEWIRE_NATS_CA` the files of a
reader, where it is secured.
"""

from __future__ import annotations

import asyncio
import sys

from slicewire.client import CaughtUp, connect
from slicewire.common.messages import INVENTORY, LEDGERS, LedgerWritten, PoolObserved


class Fleet:
    def __init__(self) -> None:
        self.pools: dict[tuple[str, ...], PoolObserved] = {}
        self.ledgers: dict[tuple[str, ...], LedgerWritten] = {}

    def metrics(self) -> str:
        lines = ["# TYPE slicewire_node_devices gauge"]
        for (node, driver), pool in sorted(self.pools.items()):
            ledger = self.ledgers.get((node, driver))
            held = {result.device for entry in (ledger.entries if ledger else ()) for result in entry.results}
            tainted = {device.name for device in pool.devices if device.taints} - held
            counts = {"allocated": len(held), "tainted": len(tainted)}
            counts["free"] = len(pool.devices) - len(tainted | held)
            lines += [
                f'slicewire_node_devices{{node="{node}",driver="{driver}",state="{state}"}} {count}'
                for state, count in counts.items()
            ]
        return "\n".join(lines) + "\n"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = self.metrics().encode()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        )
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()


async def main(port: int) -> None:
    fleet = Fleet()
    async with connect() as client, await asyncio.start_server(fleet.answer, "127.0.0.1", port):
        async for heard in client.facts(INVENTORY, LEDGERS):
            if isinstance(heard, CaughtUp):
                print(f"http://127.0.0.1:{port}/metrics", flush=True)
                continue
            kept = fleet.pools if heard.channel.kind == INVENTORY.kind else fleet.ledgers
            if heard.fact is None:
                kept.pop(heard.key, None)
            else:
                kept[heard.key] = heard.fact


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9464))
