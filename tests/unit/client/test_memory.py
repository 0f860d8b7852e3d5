"""What processes need is added up as the system shares it out."""

from __future__ import annotations

import os
from pathlib import Path

from slicewire.client.local.memory import megabytes

ROLLUP = "00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 90000 kB\nPss: 50000 kB\nPss_Dirty: 7 kB\n"


def test_shares_are_added_up_and_who_has_ended_needs_nothing(tmp_path: Path) -> None:
    for pid in (1, 2):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "smaps_rollup").write_text(ROLLUP)
    assert megabytes((1, 2, 3), tmp_path) == 102  # 100,000 KiB
    assert megabytes((), tmp_path) == 0


def test_this_process_needs_something() -> None:
    assert 5 < megabytes((os.getpid(),)) < 5000
