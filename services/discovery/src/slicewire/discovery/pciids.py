"""What the PCI id database of this machine calls NVIDIA's products. Reads the file, interprets nothing else.

The database (`pci.ids`, of the hwdata or pciutils packages) has a line for each vendor, and below it,
behind a tab, one for each of its devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_PLACES = ("usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids", "var/lib/pciutils/pci.ids")
_NVIDIA = "10de "


def product_names(roots: Iterable[Path]) -> Mapping[str, str]:
    """By device id (`0x2330`), from the first database that is there; empty where there is none."""
    for file in (root / place for root in roots for place in _PLACES):
        try:
            with file.open(errors="replace") as lines:
                return dict(_products(lines))
        except OSError:
            continue
    return {}


def _products(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    inside = False
    for line in lines:
        if line[:1] not in {"\t", "#", "\n"}:
            inside = line.startswith(_NVIDIA)
        elif inside and line.startswith("\t") and not line.startswith("\t\t"):
            device, _, name = line.strip().partition(" ")
            yield f"0x{device.lower()}", name.strip()
