"""The real command is killed for real: what it leaves, the real command puts right."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.faults.command import command_matrix
from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import CLEAN

_FEW = 3
"""Moments of each kind; `python -m tests.faults.command` takes more, and `--all` all."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_the_command_killed_at_a_few_moments_comes_back_clean(kind: Kind) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        rows = [row async for row in command_matrix([kind], Path(folder), _FEW)]
    assert len(rows) == _FEW
    assert [str(row) for row in rows if row.result != CLEAN] == []
