"""`slicewire up` with a fleet: nodes share processes, and a person cannot tell."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from pathlib import Path

import pytest

from tests.e2e.test_up import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
NODES = 50
START_SECONDS = 120


async def started(terminal: Terminal, port: int) -> tuple[asyncio.subprocess.Process, list[str]]:
    """The system, and what it said until it was there."""
    options = ("--simulated", "--nodes", str(NODES), "--profile", "b200", "--port", str(port))
    up = await terminal.start("up", *options)
    assert up.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(START_SECONDS):
        while not said or "Ctrl-C stops everything" not in said[-1]:
            assert up.returncode is None
            said.append((await up.stdout.readline()).decode())
    return up, said


async def test_fifty_nodes_share_a_few_processes_and_each_is_a_node_of_its_own(unused_tcp_port: int) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as home:
        terminal = Terminal(Path(home))
        up, said = await started(terminal, unused_tcp_port)
        try:
            assert "  25 of 50 nodes have told their devices\n" in said
            assert any(line.startswith(f"{NODES * 8} devices on {NODES} nodes") for line in said)
            assert any(line.startswith("5 processes, ") for line in said)  # broker, 2 allocators, 2 for nodes
            await a_fault_on_one_node_is_told_of_it_alone(terminal)
            await a_claim_is_prepared_on_its_node_and_released(terminal)
        finally:
            up.send_signal(signal.SIGINT)
            await up.communicate()
        assert up.returncode == 0


async def a_fault_on_one_node_is_told_of_it_alone(terminal: Terminal) -> None:
    watch = await terminal.start("inventory", "--watch", "-o", "json")
    assert watch.stdout is not None
    before = json.loads(await watch.stdout.readline())
    await terminal.run("simulate-fault", "node-0017", "gpu-3", "lost")
    async with asyncio.timeout(30):
        after = json.loads(await watch.stdout.readline())
        while after == before:
            after = json.loads(await watch.stdout.readline())
    changed = [row for row in (*before, *after) if (row in before) != (row in after)]
    assert {row["node"] for row in changed} == {"node-0017"}
    watch.terminate()
    await watch.communicate()


async def a_claim_is_prepared_on_its_node_and_released(terminal: Terminal) -> None:
    answered = await terminal.read("claim", "-f", "examples/two-gpus-same-pcie-root.yaml")
    (prepared,) = answered["prepared"]
    assert prepared["node"] == answered["answers"][0]["node"]
    assert len(prepared["devices"]) == 2
    (row,) = await terminal.read("claims")
    assert row["state"] == "prepared"
    assert "is released" in await terminal.run("release", "peer-to-peer-pair")
    assert await terminal.read("claims") == []
