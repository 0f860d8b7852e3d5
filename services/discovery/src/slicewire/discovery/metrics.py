"""What discovery measures: the devices of its node, how well they are, and how long a look takes.

The label `node` is the one that this process is of; of many in one process, each is one series. Refuses
to measure what NVIDIA's DCGM does: temperatures, clocks, use.
"""

from __future__ import annotations

import time

from slicewire.common.messages import PoolObserved
from slicewire.common.metrics import SLOW, Counter, Gauge, Histogram, Label, Part
from slicewire.common.nvml.facts import EventKind

_NODE = Label("node", says="the nodes that this process is of, most often one")

DEVICES = Gauge(
    "slicewire_discovery_devices",
    "Devices of the node as they were last seen: healthy, or tainted by what ails their GPU",
    _NODE,
    Label("state", ("healthy", "tainted")),
)
UNREADABLE = Gauge(
    "slicewire_discovery_unreadable",
    "Parts of the node that cannot be offered, as they cannot be read",
    _NODE,
)
DRIVERLESS = Gauge(
    "slicewire_discovery_driver_missing",
    "1 while there is no NVIDIA driver to ask on the node, else 0",
    _NODE,
)
LOOKED_AT = Gauge(
    "slicewire_discovery_last_look_timestamp_seconds",
    "When the node was last looked at, in seconds since 1970",
    _NODE,
    unit="seconds",
)
LOOK_SECONDS = Histogram(
    "slicewire_discovery_look_seconds", "How long a look at all GPUs of a node takes", bounds=SLOW
)
EVENTS = Counter(
    "slicewire_discovery_nvml_events_total",
    "What NVML reported between looks",
    Label("kind", tuple(EventKind)),
)
PART = Part("discovery", (DEVICES, UNREADABLE, DRIVERLESS, LOOKED_AT, LOOK_SECONDS, EVENTS))


def seen(pool: PoolObserved, *, is_driverless: bool) -> None:
    """What a look has found."""
    tainted = sum(bool(device.taints) for device in pool.devices)
    DEVICES.put(tainted, pool.node, "tainted")
    DEVICES.put(len(pool.devices) - tainted, pool.node, "healthy")
    UNREADABLE.put(len(pool.unreadable), pool.node)
    DRIVERLESS.put(is_driverless, pool.node)
    LOOKED_AT.put(time.time(), pool.node)
