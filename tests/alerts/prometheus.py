"""A real Prometheus over real parts: quick to look and to judge, by the rules but for their patience."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.alerts.rules import alerts, program

SECONDS = 25.0
_LOOK_AGAIN_SECONDS = 0.1
_PATIENCE = {
    "SlicewireFollowerLags": ("> 30", "> 4"),
    "SlicewireDiscoveryStuck": ("> 600", "> 3"),
    "SlicewirePreparationFails": ("> 2", "> 0.5"),
    "SlicewireWatchInterrupted": ("> 5", "> 0.5"),
}
"""What would take too long to happen here: what the rule says, and what it says here."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def impatient() -> list[dict[str, Any]]:
    """The rules, none of which waits."""
    found = []
    for alert in alerts():
        said, here = _PATIENCE.get(alert["alert"], ("", ""))
        assert said in alert["expr"], f"{alert['alert']} says it otherwise now"
        expression = alert["expr"].replace(said, here) if said else alert["expr"]
        found.append({key: alert[key] for key in alert if key != "for"} | {"expr": expression})
    return found


class Prometheus:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def firing(self) -> dict[str, list[dict[str, Any]]]:
        """By the alert's name: its labels and annotations, each time it fires."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in (await self._get("alerts"))["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._get("query", query=expression))["result"]
        return found

    async def until_firing(self, *names: str) -> dict[str, list[dict[str, Any]]]:
        """All of them at once."""
        return await self._until(names, fires=True)

    async def until_quiet(self, *names: str) -> None:
        """None of them."""
        await self._until(names, fires=False)

    async def until_seen(self, expression: str) -> None:
        """It has a value that is not 0."""
        async with asyncio.timeout(SECONDS):
            while not any(float(each["value"][1]) for each in await self.ask(expression)):
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _until(self, names: Iterable[str], *, fires: bool) -> dict[str, list[dict[str, Any]]]:
        found = await self.firing()
        try:
            async with asyncio.timeout(SECONDS):
                while any((name in found) is not fires for name in names):
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                    found = await self.firing()
        except TimeoutError:
            word = "fire" if fires else "end"
            raise AssertionError(f"{names} do not {word}; there are {sorted(found)}") from None
        return found

    async def _get(self, path: str, **query: str) -> Any:
        async with self._session.get(f"{self._url}/api/v1/{path}", params=query) as answer:
            document = await answer.json()
        assert document["status"] == "success", document
        return document["data"]


@asynccontextmanager
async def watching(folder: Path, ports: Mapping[str, int]) -> AsyncIterator[Prometheus]:
    """Prometheus looks at these ports, by part, twice a second."""
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "slicewire", "rules": impatient()}]})
    )
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(_config(ports)))
    process = await asyncio.create_subprocess_exec(
        *(program("prometheus"), f"--config.file={folder / 'prometheus.yaml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        "--log.level=error",
    )
    try:
        async with aiohttp.ClientSession() as session:
            await _is_up(session, f"http://127.0.0.1:{port}/-/ready")
            prometheus = Prometheus(session, f"http://127.0.0.1:{port}")
            await prometheus.until_seen("count(up)")  # its first look may take seconds to come
            yield prometheus
    finally:
        process.terminate()
        await process.wait()


def _config(ports: Mapping[str, int]) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {"job_name": f"slicewire-{part}", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for part, port in ports.items()
        ],
    }


async def _is_up(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
