"""`slicewire up` and the commands beside it, as a person uses them in two terminals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
ROOT = Path(__file__).parent.parent.parent
SLICEWIRE = Path(sys.executable).parent / "slicewire"


class Terminal:
    """Commands that find the running system by themselves."""

    def __init__(self, home: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLICEWIRE_")}
        self._environ = {**inherited, "XDG_STATE_HOME": str(home)}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(SLICEWIRE), *arguments),
            cwd=ROOT,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> str:
        process = await self.start(*arguments)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def read(self, *arguments: str) -> Any:
        return json.loads(await self.run(*arguments))


@pytest.fixture
async def terminal(unused_tcp_port: int) -> AsyncIterator[Terminal]:
    """A second terminal, once the first says what to type in it."""
    with tempfile.TemporaryDirectory(prefix="sw-") as home:
        terminal = Terminal(Path(home))
        up = await terminal.start("up", "--simulated", "--nodes", "2", "--port", str(unused_tcp_port))
        assert up.stdout is not None
        try:
            async with asyncio.timeout(30):
                while b"Ctrl-C stops everything" not in await up.stdout.readline():
                    assert up.returncode is None
            yield terminal
        finally:
            up.send_signal(signal.SIGINT)
            await up.communicate()
        assert up.returncode == 0
        assert not (Path(home) / "slicewire" / "up.json").exists()


async def test_everyday_commands_work_beside_a_running_system(terminal: Terminal) -> None:
    devices = await terminal.read("inventory", "-o", "json")
    assert len(devices) == 16
    assert {device["state"] for device in devices} == {"free"}

    watch = await terminal.start("inventory", "--watch", "-o", "json")
    assert watch.stdout is not None
    before = json.loads(await watch.stdout.readline())
    assert before == devices

    answered = await terminal.read("claim", "-f", "examples/two-gpus-same-pcie-root.yaml")
    given = [result["device"] for result in answered["answers"][0]["allocation"]["devices"]["results"]]
    assert given == ["gpu-0", "gpu-1"]
    ids = [i for device in answered["prepared"][0]["devices"] for i in device["cdiDeviceIds"]]
    assert all(i.startswith("k8s.gpu.nvidia.com/claim=") for i in ids)

    async with asyncio.timeout(20):
        after = json.loads(await watch.stdout.readline())
    assert [d["device"] for d in after if d["state"] == "default/peer-to-peer-pair"] == given
    watch.terminate()
    await watch.communicate()

    (row,) = await terminal.read("claims")
    assert (row["claim"], row["state"], row["node"]) == ("default/peer-to-peer-pair", "prepared", "node-a")
    explained = await terminal.read("explain", "peer-to-peer-pair")
    assert explained["held"]
    rows = (await terminal.read("capacity", "--class", "gpu.nvidia.com"))["classes"]
    assert [(found["node"], found["free"]) for found in rows] == [("node-a", 6), ("node-b", 8)]
    assert "is released" in await terminal.run("release", "peer-to-peer-pair")
    assert await terminal.read("claims") == []
