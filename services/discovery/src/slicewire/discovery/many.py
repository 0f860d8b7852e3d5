"""Many simulated nodes in one process, each with a discovery of its own; bus and watch are shared.

For fleets on one machine. A node waits in a thread that sleeps, so that a thousand cost memory and no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path

import msgspec

from slicewire.common import health
from slicewire.common.bus.port import Bus
from slicewire.common.bus.shared import SharedFollowing
from slicewire.common.messages import INVENTORY
from slicewire.common.nvml.port import Nvml
from slicewire.common.nvml.simulated import SimulatedNvml, fleet
from slicewire.common.nvml.simulated.state import BadState
from slicewire.common.settings import BadSettings
from slicewire.discovery.service import Discovery
from slicewire.discovery.settings import Settings

Build = Callable[[Settings, Nvml, Bus], Discovery]
"""The discovery of one node."""
Connect = Callable[[], AbstractAsyncContextManager[Bus]]
_LOOKING_AT_ONCE = 4
_OF_ONE_NODE = ("names_file", "health_file", "sysfs_root")
"""Settings that name what only one node can have."""


async def serve(settings: Settings, connect: Connect, readiness: health.Readiness, build: Build) -> None:
    """Discovery of every node that the settings name. Raises `BadSettings`."""
    nodes = names(settings)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(len(nodes) + _LOOKING_AT_ONCE))
    with _rooms(settings, nodes) as rooms:
        async with connect() as bus, asyncio.TaskGroup() as tasks:
            shared = SharedFollowing(bus, [INVENTORY.under(node, settings.driver) for node in nodes])
            found: list[Discovery] = []
            readiness.follows(
                lambda: len(found) == len(nodes) and all(discovery.is_ready() for discovery in found)
            )
            tasks.create_task(shared.run())
            for node, room in rooms.items():
                await asyncio.to_thread(room.look)  # makes its files: many threads at once would take longer
                found.append(build(of_node(settings, node), room, shared))
                tasks.create_task(found[-1].run())


@contextmanager
def _rooms(settings: Settings, nodes: tuple[str, ...]) -> Iterator[dict[str, SimulatedNvml]]:
    with ExitStack() as opened:
        try:
            rooms = opened.enter_context(
                fleet.rooms(Path(settings.nvml_state), nodes, settings.nvml_profile, settings.nvml_gpus)
            )
        except (BadState, OSError) as error:
            raise BadSettings(f"simulated nodes in {settings.nvml_state!r}: {error}") from error
        yield rooms


def names(settings: Settings) -> tuple[str, ...]:
    """The nodes to serve. Raises `BadSettings` for what cannot be said of many nodes."""
    if settings.nvml_room != "simulated" or not settings.nvml_state:
        raise BadSettings(
            "SLICEWIRE_DISCOVERY_NODES is for simulated nodes: set SLICEWIRE_DISCOVERY_NVML_ROOM=simulated,"
            " and SLICEWIRE_DISCOVERY_NVML_STATE to the folder of all nodes"
        )
    for field in _OF_ONE_NODE:
        if getattr(settings, field):
            raise BadSettings(
                f"SLICEWIRE_DISCOVERY_{field.upper()} is of one node, and SLICEWIRE_DISCOVERY_NODES names"
                " several: leave it out"
            )
    found = tuple(name.strip() for name in settings.nodes.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise BadSettings(f"SLICEWIRE_DISCOVERY_NODES={settings.nodes!r}: a name is empty or there twice")
    return found


def of_node(settings: Settings, node: str) -> Settings:
    """The settings as a process for this node alone would have them."""
    state = Path(settings.nvml_state) / node / fleet.STATE_FILE
    return msgspec.structs.replace(settings, nodes="", node_name=node, nvml_state=str(state))
