"""What traces cost: none, one claim in a hundred, all of them.

    python -m bench.tracing      (BENCH_ROUNDS=3 rounds of each)

As in `bench.service`, two clients with many claims in flight; the spans go to a receiver that throws them
away. The settings take turns, so that the machine's other users trouble all alike, and of each the best
round counts. CPU time is of the allocator's process alone, its exporting thread included. Preparing is that
of `bench.prep`, as the kubelet sees it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from rich.console import Console
from rich.table import Table

from bench import prep, service

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
_CLAIMS = 1500
_SHARES = ("off", "0.01", "1")


@asynccontextmanager
async def _swallowing() -> AsyncIterator[str]:
    """An OTLP endpoint that takes everything and keeps nothing."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    application = web.Application(client_max_size=64 * 1024**2)
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Round(msgspec.Struct, frozen=True):
    outcome: service.Outcome
    prepare_milliseconds: float


async def _round(share: str, endpoint: str) -> Round:
    """A bus and parts of its own: what one round leaves behind is not the next one's."""
    os.environ["SLICEWIRE_OTLP_ENDPOINT"] = "" if share == "off" else endpoint
    os.environ["SLICEWIRE_TRACE_SAMPLE"] = "1" if share == "off" else share
    outcome = await _allocating()
    prepared = next(row for row in await prep.measured() if row.case == "prepare a GPU, p50")
    return Round(outcome, prepared.figure)


async def _allocating() -> service.Outcome:
    async with service.empty_bus() as (server, bus):
        await service.tell_fleet(bus)
        async with service.allocator(server.url) as asked:
            await service.run("saturated", 300, service.CLIENTS, server, asked)
            return await service.run("saturated", _CLAIMS, service.CLIENTS, server, asked)


async def measured() -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {share: [] for share in _SHARES}
    async with _swallowing() as endpoint:
        for _ in range(ROUNDS):
            for share in _SHARES:
                found[share].append(await _round(share, endpoint))
    return found


def main() -> None:
    table = Table(box=None)
    for name in (
        "traces kept",
        "claims/s, best",
        "allocator's CPU per claim, best",
        "prepare a GPU, p50, best",
    ):
        table.add_column(name)
    for share, rounds in asyncio.run(measured()).items():
        rate = max(each.outcome.rate for each in rounds)
        cpu = min(each.outcome.cpu_microseconds("allocator") for each in rounds)
        prepare = min(each.prepare_milliseconds for each in rounds)
        table.add_row(share, f"{rate:,.0f}", f"{cpu:.0f} us", f"{prepare:.1f} ms")
    Console().print(table)


if __name__ == "__main__":
    main()
