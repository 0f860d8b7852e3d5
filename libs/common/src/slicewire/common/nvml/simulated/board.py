"""Where the simulated GPUs sit, and what they are wired to.

Buses, PCIe roots and NUMA nodes are those of an 8-GPU server, for GB200 of a 4-GPU tray: neighbours
share a root, halves share a NUMA node.
"""

from __future__ import annotations

from functools import cache

import msgspec

from slicewire.common.nvml.facts import NvLink, PeerKind
from slicewire.common.nvml.simulated.profiles import MODELS


class Slot(msgspec.Struct, frozen=True):
    """Where on the board a GPU sits. `pci_bus_id` as sysfs writes it."""

    pci_bus_id: str
    pcie_root: str
    numa_node: int


_BUSES_OF_A100 = ("07", "0f", "47", "4e", "87", "90", "b7", "bd")
_BUSES = ("1a", "1b", "4a", "4b", "8a", "8b", "ca", "cb")
_DOMAINS_OF_GB200 = (0x08, 0x09, 0x18, 0x19)
"""Each GPU of a GB200 tray hangs on a PCI domain of its own."""
MOST_GPUS = 16


def slot(model: str, position: int) -> Slot:
    """The slot of the GPU at this position; beyond the first board on PCI domains of their own."""
    if model == "gb200":
        return _slot_on_a_tray(position)
    domain, place = divmod(position, len(_BUSES))
    buses = _BUSES_OF_A100 if model.startswith("a100") else _BUSES
    half = place * 2 // len(buses)
    return Slot(
        pci_bus_id=f"{domain:04x}:{buses[place]}:00.0",
        pcie_root=f"pci{domain:04x}:{'80' if half else '00'}",
        numa_node=2 * domain + half,
    )


def _slot_on_a_tray(position: int) -> Slot:
    tray, place = divmod(position, len(_DOMAINS_OF_GB200))
    domain = 0x20 * tray + _DOMAINS_OF_GB200[place]
    return Slot(
        pci_bus_id=f"{domain:04x}:01:00.0", pcie_root=f"pci{domain:04x}:00", numa_node=2 * tray + place // 2
    )


def module(model: str, position: int) -> int | None:
    """The socket on its board, from 1; cards in PCIe slots have none."""
    if MODELS[model].links is None:
        return None
    return 1 + position % (len(_DOMAINS_OF_GB200) if model == "gb200" else len(_BUSES))


@cache
def links(model: str, pci_bus_id: str) -> tuple[NvLink, ...]:
    """To the switches of the board that this slot is on: GPUs of one board have the same peers."""
    wired = MODELS[model].links
    if wired is None:
        return ()
    domain = int(pci_bus_id.partition(":")[0], 16)
    board = domain // 0x20 if model == "gb200" else domain
    switches = (number for number, count in enumerate(wired.to_switch) for _ in range(count))
    return tuple(
        NvLink(
            link=link,
            version=wired.version,
            peer=PeerKind.SWITCH,
            peer_pci_bus_id=f"{board:08X}:{0xC4 + switch:02X}:00.0",
        )
        for link, switch in enumerate(switches)
    )
