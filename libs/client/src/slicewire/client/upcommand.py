"""`slicewire up`: the whole system on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import socket
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from slicewire.client import console, documents, library
from slicewire.client.command import stop
from slicewire.client.library import Client
from slicewire.client.local import memory, system
from slicewire.client.local.broker import NoBroker
from slicewire.client.local.processes import NotInstalled
from slicewire.common.bus.port import BusUnavailable, CaughtUp
from slicewire.common.messages import INVENTORY
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.real import RealNvml

Profile = Literal["h100", "h200", "b200", "gb200", "a100-40gb", "a100-80gb", "l40s", "t4"]
_STEPS = 10
"""How often a fleet says how far it is."""


def up(
    nodes: Annotated[int, typer.Option(min=1, max=5000, help="Simulated nodes.")] = 2,
    gpus: Annotated[int, typer.Option(min=1, max=16, help="GPUs of each simulated node.")] = 8,
    profile: Annotated[Profile, typer.Option(help="GPU model of the simulated nodes.")] = "h100",
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Simulate GPUs even where NVML finds real ones.")
    ] = False,
    allocators: Annotated[int, typer.Option(min=1, max=8, help="Allocators that share the work.")] = 2,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Publish to this Kubernetes API and follow its claims.", show_default=False),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the bus; another is taken if it is in use.")
    ] = 4222,
    otlp: Annotated[
        str,
        typer.Option(help="Where spans go, such as http://127.0.0.1:4318.", envvar="SLICEWIRE_OTLP_ENDPOINT"),
    ] = "",
    trace_sample: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="How many traces are kept: 0.01 is one in a hundred.",
            envvar="SLICEWIRE_TRACE_SAMPLE",
        ),
    ] = 1.0,
    state: Annotated[
        Path | None, typer.Option(help="Folder for streams, logs and simulated nodes.", show_default=False)
    ] = None,
) -> None:
    """Start a broker, the allocators and every node's agents, and keep them running."""
    real = not simulated and _sees_a_gpu()
    plan = system.Plan(
        folder=(state or library.state_folder()).absolute(),
        nodes=(socket.gethostname(),) if real else system.node_names(nodes),
        gpus=gpus,
        profile=profile,
        real=real,
        allocators=allocators,
        kubeconfig=kubeconfig,
        kubelet=kubeconfig is not None and real,
        otlp_endpoint=otlp,
        trace_sample=trace_sample,
        port=port if _is_free(port) else -1,
    )
    try:
        asyncio.run(_up(plan))
    except (NoBroker, NotInstalled, BusUnavailable) as error:
        stop(str(error), 1)


async def _up(plan: system.Plan) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    kind = (
        "this machine's GPUs"
        if plan.real
        else f"{len(plan.nodes):,} simulated nodes of {plan.gpus} {plan.profile}"
    )
    console.say(f"Starting Slicewire with {kind} …")
    begun = loop.time()
    async with system.running(plan, console.complain) as running:
        async with library.connect(running.nats_url, patience_seconds=10) as client:
            await _define_classes(client, plan)
            seen = asyncio.ensure_future(_see_devices(client, plan))
            ended = asyncio.ensure_future(stopped.wait())
            await asyncio.wait({seen, ended}, return_when=asyncio.FIRST_COMPLETED)
            if seen.done():
                _say_what_there_is(plan, running, seen.result(), loop.time() - begun)
                _say_what_next(plan)
            await ended
            seen.cancel()
        console.say("Stopping …")


async def _define_classes(client: Client, plan: system.Plan) -> None:
    """The classes that NVIDIA's driver ships; with Kubernetes they come from there."""
    if plan.kubeconfig is not None:
        return
    text = resources.files("slicewire.client").joinpath("classes.yaml").read_text()
    for device_class in documents.read(text, "classes.yaml").classes:
        await client.define(device_class)


async def _see_devices(client: Client, plan: system.Plan) -> int:
    """Wait until every node has told its devices, saying how far it is; how many there are."""
    devices: dict[tuple[str, ...], int] = {}
    nodes = len(plan.nodes)
    step = -(-nodes // _STEPS)
    async for heard in client.facts(INVENTORY):
        if isinstance(heard, CaughtUp):
            continue
        is_new = heard.key not in devices
        devices[heard.key] = len(heard.fact.devices) if heard.fact else 0
        if plan.is_fleet and is_new and len(devices) % step == 0 and len(devices) < nodes:
            console.say(f"  {len(devices):,} of {nodes:,} nodes have told their devices")
        if len(devices) >= nodes:
            break
    return sum(devices.values())


def _say_what_there_is(plan: system.Plan, running: system.System, devices: int, seconds: float) -> None:
    pids = running.pids()
    where = f"{devices:,} devices on {len(plan.nodes):,} nodes"
    console.say(f"{where}, {plan.allocators} allocators, bus {running.nats_url}")
    console.say(f"{len(pids)} processes, {memory.megabytes(pids):,} MB, {seconds:.1f} s")


def _say_what_next(plan: system.Plan) -> None:
    console.say(f"State and logs: {plan.folder}")
    console.say("In another terminal:")
    for line in (
        "slicewire inventory",
        "slicewire claim -f examples/one-gpu-per-pod.yaml",
        "slicewire claims",
        "slicewire events --new",
    ):
        console.say(f"  {line}")
    console.say("Ctrl-C stops everything.")


def _sees_a_gpu() -> bool:
    nvml = RealNvml()
    try:
        facts = nvml.look()
        return isinstance(facts, NodeFacts) and bool(facts.gpus)
    finally:
        nvml.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
