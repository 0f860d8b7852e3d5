"""Many simulated nodes in one process: each has a node-prep of its own from the first time it is asked.

For fleets on one machine, where most nodes never prepare anything. There is no kubelet: it would need sockets
for each node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.bus.port import Bus, Declined
from slicewire.common.bus.shared import ThroughBus
from slicewire.common.messages import PREPARE, UNPREPARE, Endpoint
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.rooms import open_nvml
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from slicewire.common.settings import BadSettings
from slicewire.node_prep.journal import CHECKPOINT_FILE
from slicewire.node_prep.settings import Settings

Connect = Callable[[], AbstractAsyncContextManager[Bus]]
Build = Callable[[Settings, NvmlControl], Callable[[Connect], Awaitable[None]]]
"""The node-prep of one node: it runs on the bus it is given."""
_Handlers = Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]]


class Fleet:
    """Answers for every node that the settings name."""

    def __init__(self, settings: Settings, build: Build) -> None:
        self._settings = settings
        self._build = build
        self._nodes = frozenset(names(settings))
        self._answering: dict[str, asyncio.Future[_Handlers]] = {}
        """How each node answers that was asked before."""
        self._is_open = False

    def is_ready(self) -> bool:
        return self._is_open

    async def run(self, connect: Connect) -> None:
        """Nodes that had something prepared are begun at once: it may have been released since."""
        async with connect() as bus, asyncio.TaskGroup() as tasks:
            at = partial(self._at, tasks, bus)
            for node in sorted(self._nodes):
                if (Path(of_node(self._settings, node).plugin_dir) / CHECKPOINT_FILE).exists():
                    at(node)
            handlers = {endpoint: partial(self._answer, at, endpoint) for endpoint in (PREPARE, UNPREPARE)}
            async with bus.serve_all(handlers, name="node-prep"):
                self._is_open = True
                await asyncio.Event().wait()

    async def _answer(
        self,
        at: Callable[[str], asyncio.Future[_Handlers]],
        endpoint: Endpoint[Any, Any],
        key: tuple[str, ...],
        request: Any,
    ) -> Any:
        (node,) = key
        if node not in self._nodes:
            return Declined(503, f"no {endpoint.server} of node {node} answers {endpoint.name} requests")
        handlers = await asyncio.shield(at(node))
        return await handlers[endpoint](request)

    def _at(self, tasks: asyncio.TaskGroup, bus: Bus, node: str) -> asyncio.Future[_Handlers]:
        if node not in self._answering:
            self._answering[node] = asyncio.get_running_loop().create_future()
            tasks.create_task(self._keep(node, bus))
        return self._answering[node]

    async def _keep(self, node: str, bus: Bus) -> None:
        own = of_node(self._settings, node)
        with closing(await asyncio.to_thread(open_nvml, own.nvml)) as nvml:
            answering = _Answering(bus, self._answering[node])
            await self._build(own, nvml)(lambda: nullcontext(answering))


class _Answering(ThroughBus):
    """A bus on which one node serves by telling us how."""

    def __init__(self, bus: Bus, told: asyncio.Future[_Handlers]) -> None:
        super().__init__(bus)
        self._told = told

    @asynccontextmanager
    async def serve(self, handlers: _Handlers, *_key: str, name: str) -> AsyncIterator[None]:  # noqa: ARG002
        if not self._told.done():  # a node that begins anew answers as it did
            self._told.set_result(handlers)
        yield


def names(settings: Settings) -> tuple[str, ...]:
    """The nodes to serve. Raises `BadSettings` for what cannot be said of many nodes."""
    if settings.nvml_room != "simulated" or not settings.nvml_state:
        raise BadSettings(
            "SLICEWIRE_NODE_PREP_NODES is for simulated nodes: set SLICEWIRE_NODE_PREP_NVML_ROOM=simulated,"
            " and SLICEWIRE_NODE_PREP_NVML_STATE to the folder of all nodes"
        )
    if settings.kubelet:
        raise BadSettings(
            "SLICEWIRE_NODE_PREP_KUBELET=true is of one node, and SLICEWIRE_NODE_PREP_NODES names several"
        )
    found = tuple(name.strip() for name in settings.nodes.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise BadSettings(f"SLICEWIRE_NODE_PREP_NODES={settings.nodes!r}: a name is empty or there twice")
    return found


def of_node(settings: Settings, node: str) -> Settings:
    """The settings of this node alone: its files lie in its own folder."""
    folder = Path(settings.nvml_state) / node
    return msgspec.structs.replace(
        settings,
        nodes="",
        node_name=node,
        nvml_state=str(folder / STATE_FILE),
        plugin_dir=str(folder / "plugins" / settings.driver),
        registry_dir=str(folder / "plugins_registry"),
        cdi_root=str(folder / "cdi"),
    )
