"""MPS control daemons in the keeper's hands: node-prep comes and goes, the keeper comes and goes."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.nvml.facts import ComputeMode
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import StartMps
from slicewire.node_prep.mpsasking import LONGEST_LINE, Start, ask, socket_of
from slicewire.node_prep.processes import Running
from tests.component.node_prep.harness import Station, asked, held
from tests.component.node_prep.mps import asked as told
from tests.component.node_prep.mps import cleared, folders, killed, running, shared, the_daemon, trouble
from tests.component.node_prep.mpskeeping import command, keeper, kept, kept_by, parent, said
from tests.component.node_prep.process import started
from tests.component.node_prep.workbench import Workbench
from tests.kubelet.client import Kubelet
from tests.unit.node_prep.builders import DRIVER, a_claim

pytestmark = pytest.mark.slow
FREE = "0123456789abcdef"
ADDED_BY_ITS_SHELL = {"PWD", "LC_CTYPE", "SHLVL", "_"}
"""The stand-in is a script."""


@pytest.fixture
def node(folder: Path) -> Iterator[Workbench]:
    with kept(folder) as made:
        yield made


def daemons(node: Workbench) -> list[Running]:
    return [process for process, _ in running(node.mps.root)]


async def test_the_keeper_starts_the_daemon_and_node_prep_tells_and_ends_it(node: Workbench) -> None:
    with kept_by(node) as process:
        await node.prepared(node.whole(), config=shared(defaultActiveThreadPercentage=30, multiUser=True))
        [(daemon, environment)] = running(node.mps.root)
        assert parent(daemon) == process.pid
        assert environment.keys() - ADDED_BY_ITS_SHELL == {
            "PATH",
            "LD_LIBRARY_PATH",
            "CUDA_VISIBLE_DEVICES",
            "CUDA_MPS_PIPE_DIRECTORY",
            "CUDA_MPS_LOG_DIRECTORY",
        }
        assert b"-M" in Path(f"/proc/{daemon.pid}/cmdline").read_bytes().split(b"\0")
        answers = told(node.mps.root, node.nvml.driver_root, "get_default_active_thread_percentage")
        assert answers == ["30.0"]
        await node.removed()
        assert daemons(node) == []
        assert folders(node.mps.root) == ()
        assert node.nothing_is_left()


async def test_node_prep_killed_for_real_leaves_the_daemon_to_the_keeper(station: Station) -> None:
    root = station.disk.mps.root
    await station.author.tell_ledger(held(config=shared()))
    with cleared(root), keeper(station.disk.plugin_dir, station.nvml.driver_root) as process:
        async with started(station.disk, station.nats_url, NODE_PREP_MPS="pod") as node_prep:
            async with Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
                await plugin.prepared(asked())
            [(before, _)] = running(root)
            assert parent(before) == process.pid
            await node_prep.kill()
        async with (
            started(station.disk, station.nats_url, NODE_PREP_MPS="pod"),
            Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin,
        ):
            await plugin.prepared(asked())
            assert [daemon for daemon, _ in running(root)] == [before]
            assert await plugin.unprepare([asked()]) == {"claim-1": ""}
            assert running(root) == []


async def test_without_a_keeper_running_daemons_go_on_and_new_claims_are_told_why_not(
    node: Workbench,
) -> None:
    with kept_by(node):
        await node.prepared(node.whole(0), config=shared())
    before = daemons(node)
    assert len(before) == 1
    refusal = await node.prepare(node.whole(1), uid="claim-2", config=shared())
    assert isinstance(refusal, PrepareRefusal)
    assert refusal.why is Why.DRIVER
    assert f"the MPS keeper does not answer at {node.mps.keeper} (Connection refused)" in refusal.reason
    assert "DaemonSet slicewire-mps-keeper, must run on this node" in refusal.reason
    assert node.gpu(1).compute_mode is ComputeMode.DEFAULT
    assert len(folders(node.mps.root)) == 1
    assert daemons(node) == before
    with kept_by(node):
        await node.prepared(node.whole(1), uid="claim-2", config=shared())
        assert set(before) < set(daemons(node))
        for uid in ("claim-1", "claim-2"):
            await node.removed(uid)
    assert daemons(node) == []


async def test_a_daemon_that_went_with_its_keeper_is_started_again_by_the_next(node: Workbench) -> None:
    with kept_by(node):
        await node.prepared(node.whole(), config=shared())
    killed(the_daemon(node.preparation))
    assert isinstance(await node.preparation.restore(a_claim().uid), PrepareRefusal)
    with kept_by(node) as process:
        assert await node.preparation.restore(a_claim().uid) is None
        [daemon] = daemons(node)
        assert parent(daemon) == process.pid
        await node.removed()


async def test_killed_before_it_heard_the_answer_node_prep_ends_what_was_started(node: Workbench) -> None:
    made = node.planned(node.whole(), config=shared())
    assert not isinstance(made, PrepareRefusal)
    [step] = [one for one in made.steps if isinstance(one, StartMps)]
    with kept_by(node):
        orphan = await _asked(node, step.daemon)
        assert isinstance(orphan, Running)
        again = await _asked(node, step.daemon)
        assert again == f"process {orphan.pid} has {node.mps.root / step.daemon} already"
        await node.prepared(node.whole(), config=shared())
        [daemon] = daemons(node)
        assert daemon != orphan
        await node.removed()


async def _asked(node: Workbench, daemon: str) -> Running | str:
    for name in ("pipe", "log", "shm"):
        (node.mps.root / daemon / name).mkdir(parents=True, exist_ok=True)
    assert node.mps.keeper is not None
    start = Start(daemon=daemon, devices=(node.gpu().uuid,), multi_user=False, own_libraries=False)
    return await asyncio.to_thread(ask, node.mps.keeper, start)


async def test_a_daemon_that_ends_at_once_is_refused_with_its_last_words(node: Workbench) -> None:
    trouble(node.nvml.driver_root, fails="no licence")
    with kept_by(node):
        refusal = await node.prepare(node.whole(), config=shared())
    assert isinstance(refusal, PrepareRefusal)
    assert "it ended by itself: no licence" in refusal.reason
    assert node.nothing_is_left()


def _request(**changed: Any) -> bytes:
    fair = {"daemon": FREE, "devices": ["GPU-0"], "multiUser": False, "ownLibraries": False}
    return json.dumps(fair | changed).encode() + b"\n"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (_request(program="/bin/sh"), "unknown field `program`"),
        (_request(command=["/bin/sh", "-c", "id"]), "unknown field `command`"),
        (_request(environment={"LD_PRELOAD": "/tmp/evil.so"}), "unknown field `environment`"),
        (_request(daemon="../../etc"), "$.daemon"),
        (_request(daemon=FREE + "\n"), "$.daemon"),
        (_request(daemon="/" + FREE[1:]), "$.daemon"),
        (_request(devices=["GPU-0\0LD_PRELOAD=/tmp/evil.so"]), "$.devices"),
        (_request(devices=["GPU-0,GPU-1"]), "$.devices"),
        (_request(devices=[]), "$.devices"),
        (_request(devices=["GPU-0"] * 65), "$.devices"),
        (_request(multiUser="-d"), "$.multiUser"),
        (_request(), "No such file or directory"),
        (b"\n", "no request"),
        (b"\xff\xfe\n", "no request"),
        (b'{"daemon": "\xff"}\n', "no request"),
        (b"[" * 9000 + b"\n", "no request"),
        (b" " * (LONGEST_LINE + 1) + b"\n", f"at most {LONGEST_LINE} bytes"),
    ],
    ids=str,
)
async def test_what_is_no_fair_request_starts_nothing_and_the_keeper_goes_on(
    strict: Workbench, request_: bytes, words: str
) -> None:
    answer = said(strict, request_)
    assert answer.process is None
    assert words in answer.refused
    assert daemons(strict) == []


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """One keeper that all unfair requests meet, one after another."""
    with kept(tmp_path_factory.mktemp("k")) as made, kept_by(made):
        yield made


async def test_a_folder_that_is_a_link_gets_no_daemon(node: Workbench, tmp_path: Path) -> None:
    for name in ("pipe", "log", "shm"):
        (tmp_path / name).mkdir()
    node.mps.root.mkdir(parents=True)
    (node.mps.root / FREE).symlink_to(tmp_path)
    with kept_by(node):
        answer = said(node, _request())
        assert "it is a link to" in answer.refused
        assert list((tmp_path / "log").iterdir()) == []


async def test_its_socket_is_for_root_alone_and_takes_the_place_of_no_file(node: Workbench) -> None:
    path = socket_of(node.mps.root.parent)
    with kept_by(node):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    path.write_text("somebody's")
    with command(path.parent, node.nvml.driver_root) as process:
        _, words = process.communicate(timeout=10.0)
    assert process.returncode == 2
    assert f"{path} is in the way of our socket" in words
    assert path.read_text() == "somebody's"
