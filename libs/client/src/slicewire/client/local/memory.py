"""How much memory processes need, as Linux counts it: pages that several share are shared out among them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_KIBIBYTE, _MEGABYTE = 1024, 1_000_000


def megabytes(pids: Iterable[int], proc: Path = Path("/proc")) -> int:
    """Of all together. A process that has ended meanwhile needs none; 0 where the system does not tell."""
    return sum(_kibibytes(proc / str(pid) / "smaps_rollup") for pid in pids) * _KIBIBYTE // _MEGABYTE


def _kibibytes(rollup: Path) -> int:
    try:
        lines = rollup.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
