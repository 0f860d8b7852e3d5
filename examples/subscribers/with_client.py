"""Every GPU pool as it is, then as it changes, with the client library.

    python examples/subscribers/with_client.py          (beside a running `slicewire up`)

`SLICEWIRE_NATS_URL` says where the bus is, where it is not the one of `slicewire up`;
`SLICEWIRE_NATS_CREDENTIALS` and `SLICEWIRE_NATS_CA` name the files of a reader, where it is secured.
"""

from __future__ import annotations

import asyncio

from slicewire.client import CaughtUp, Gone, connect
from slicewire.common.messages import PoolObserved


async def main() -> None:
    async with connect() as client:
        async for heard in client.inventory():
            match heard:
                case CaughtUp():
                    print("-- that is everything now; changes follow", flush=True)
                case Gone(key=key):
                    print(f"{' '.join(key)}: gone", flush=True)
                case PoolObserved() as pool:
                    tainted = sum(1 for device in pool.devices if device.taints)
                    print(
                        f"{pool.node} {pool.driver}: generation {pool.generation},"
                        f" {len(pool.devices)} devices, {tainted} tainted",
                        flush=True,
                    )


if __name__ == "__main__":
    asyncio.run(main())
