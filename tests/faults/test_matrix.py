"""Whatever node-prep is doing when it is killed, nothing is lost and nothing is left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import CLEAN, matrix


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_killed_at_any_moment_it_comes_back_clean(kind: Kind) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        rows = [row async for row in matrix([kind], Path(folder))]
    assert rows, "a claim is prepared in at least one moment"
    assert [str(row) for row in rows if row.result != CLEAN] == []
