"""A minute of everything at once, on real processes, from a fixed seed; `make soak` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.plan import FAULTS
from tests.soak.run import Settings, run

SEED, SECONDS = 2026, 60.0


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_nothing_is_given_twice_or_forgotten_whatever_fails(tmp_path: Path) -> None:
    said: list[str] = []
    found = await run(Settings(folder=tmp_path, seed=SEED, duration_seconds=SECONDS), said.append)
    assert found == (), said
    assert all(fault in said[-2] for fault in FAULTS), said  # everything failed once at least
