"""Whatever node-prep is doing when it is killed, nothing is lost and nothing is left behind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import CLEAN, Trial, matrix


class Forgetful(Trial):
    """Whose processes lose their journal when they die."""

    def _left(self, folder: Path) -> None:
        shutil.rmtree(folder / "plugin", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_matrix_tells_a_node_that_is_not_clean() -> None:
    """Without its journal a process cannot know which partitions are its own before the CDI file is there."""
    [kind] = [one for one in KINDS if one.name == "dynamic MIG"]
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        rows = [row async for row in matrix([kind], Path(folder), Forgetful)]
    assert any(row.result.startswith("not prepared again: ") for row in rows)
    assert any(row.result.startswith("left behind: ") for row in rows)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_killed_at_any_moment_it_comes_back_clean(kind: Kind) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        rows = [row async for row in matrix([kind], Path(folder))]
    assert rows, "a claim is prepared in at least one moment"
    assert [str(row) for row in rows if row.result != CLEAN] == []
