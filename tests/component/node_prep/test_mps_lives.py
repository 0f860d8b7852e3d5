"""A daemon's life and node-prep's are two: each may end at any moment, and the other goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import ComputeMode
from slicewire.node_prep import files
from slicewire.node_prep.core.steps import MakeMpsDirectories, SetExclusiveMode, StartMps
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import executors
from tests.component.node_prep.mps import (
    asked,
    bench,
    by_another_hand,
    folders,
    killed,
    pretending,
    running,
    shared,
    the_daemon,
)
from tests.component.node_prep.workbench import Workbench
from tests.faults.doom import Doom, DoomedExecutor
from tests.unit.node_prep.builders import a_claim

pytestmark = pytest.mark.slow

_LIFE_SECONDS = 20.0
LOST = "0123456789abcdef"
"""A name such as daemons of ours have."""
DO_AND_UNDO = 12
"""Moments before and after the `do` and the `undo` of three steps."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Workbench]:
    with bench(tmp_path) as made:
        yield made


def _claim_lives(folder: Path, at: int) -> None:
    """Prepared and removed, in a process that dies at this moment of what concerns the daemon."""
    node = Workbench(folder)
    doom = Doom(folder, at)
    table = executors(node.nvml, DriverRoot(node.nvml), node.cdi_root, node.mps)
    node.preparation = node.another(
        {kind: DoomedExecutor(table[kind], doom) for kind in (MakeMpsDirectories, SetExclusiveMode, StartMps)}
    )

    async def life() -> None:
        await node.prepared(node.whole(), config=shared())
        await node.removed()

    asyncio.run(life())


@pytest.mark.slow
@pytest.mark.parametrize("at", range(DO_AND_UNDO))
async def test_killed_at_any_moment_it_comes_back_without_a_daemon(tmp_path: Path, at: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_claim_lives, args=(tmp_path, at))
    with bench(tmp_path) as node:
        process.start()
        await asyncio.to_thread(process.join, _LIFE_SECONDS)
        assert process.exitcode == -signal.SIGKILL
        await node.killed_and_started()
        for uid in tuple(node.preparation.checkpoint.entries):  # what was prepared is prepared still
            assert len(running(node.mps.root)) == 1
            await node.removed(uid)
        assert running(node.mps.root) == []
        assert folders(node.mps.root) == ()
        assert node.nothing_is_left()
        assert node.gpu().compute_mode is ComputeMode.DEFAULT


async def test_killed_while_the_daemon_starts_the_next_process_ends_it(node: Workbench) -> None:
    made = node.planned(node.whole(), config=shared())
    [step] = [one for one in made.steps if isinstance(one, StartMps)]  # type: ignore[union-attr]
    orphan = by_another_hand(node.mps.root / step.daemon, node.nvml.driver_root, node.gpu().uuid)
    await node.prepared(node.whole(), config=shared())
    [(process, _)] = running(node.mps.root)
    assert process != orphan


async def test_the_next_node_prep_adopts_the_daemon(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared(defaultActiveThreadPercentage=30))
    before = running(node.mps.root)
    preparation = await node.killed_and_started()
    assert await preparation.restore(a_claim().uid) is None
    assert await preparation.ended() == ()
    assert running(node.mps.root) == before
    await node.removed()
    assert running(node.mps.root) == []


async def test_a_daemon_whose_journal_was_lost_is_adopted_with_its_clients(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared())
    before = running(node.mps.root)
    files.delete(node.checkpoint)
    await node.killed_and_started()
    await node.preparation.end_orphans()
    await node.prepared(node.whole(), config=shared())
    assert running(node.mps.root) == before


async def test_a_daemon_that_died_is_started_again_with_its_settings_in_its_folder(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared(defaultActiveThreadPercentage=30))
    [folder] = folders(node.mps.root)
    pipe = (folder / "pipe").stat().st_ino
    killed(the_daemon(node.preparation))
    [(entry, step)] = await node.preparation.ended()
    assert (entry.plan.claim, type(step)) == (a_claim(), StartMps)
    assert await node.preparation.restore(a_claim().uid) is None
    assert await node.preparation.ended() == ()
    assert (folder / "pipe").stat().st_ino == pipe
    answers = asked(node.mps.root, node.nvml.driver_root, "get_default_active_thread_percentage")
    assert answers == ["30.0"]


async def test_of_two_claims_that_share_a_dead_daemon_one_starts_it_and_both_have_it(node: Workbench) -> None:
    for uid in ("claim-1", "claim-2"):
        await node.prepared(node.whole(), uid=uid, share_id=uid, config=shared())
    killed(the_daemon(node.preparation))
    assert len(await node.preparation.ended()) == 2
    for uid in ("claim-1", "claim-2"):
        assert await node.preparation.restore(a_claim(uid).uid) is None
    [(process, _)] = running(node.mps.root)
    assert the_daemon(node.preparation) == the_daemon(node.preparation, "claim-2") == process


async def test_an_orphan_is_ended_on_start(node: Workbench) -> None:
    await node.prepared(node.whole(0), config=shared())
    by_another_hand(node.mps.root / LOST, node.nvml.driver_root, node.gpu(1).uuid)
    ours = the_daemon(node.preparation)
    await node.killed_and_started()
    await node.preparation.end_orphans()
    assert [process for process, _ in running(node.mps.root)] == [ours]
    assert [folder.name for folder in folders(node.mps.root)] != [LOST]


async def test_a_leftover_daemon_of_the_same_gpu_is_ended_before_another_starts(node: Workbench) -> None:
    gpus = (node.gpu(0).uuid, node.gpu(1).uuid)
    orphan = by_another_hand(node.mps.root / "lost", node.nvml.driver_root, *gpus)
    await node.prepared(node.whole(1), config=shared())
    [(process, environment)] = running(node.mps.root)
    assert process != orphan
    assert environment["CUDA_VISIBLE_DEVICES"] == node.gpu(1).uuid
    assert len(folders(node.mps.root)) == 1


async def test_a_process_that_says_it_were_another_claims_daemon_ends_nobody_but_itself(
    node: Workbench,
) -> None:
    await node.prepared(node.whole(0), config=shared())
    [(_, environment)] = running(node.mps.root)
    pretence = {**environment, "CUDA_VISIBLE_DEVICES": node.gpu(1).uuid}
    with pretending(pretence):
        await node.prepared(node.whole(1), uid="claim-2", config=shared())
        assert await node.preparation.ended() == ()
