"""MPS on a simulated node: real processes, a real protocol, real mounts where they may be made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from slicewire.common.model import Quantity
from slicewire.common.nvml.facts import ComputeMode, NodeFacts
from slicewire.common.nvml.port import NvmlControl
from slicewire.node_prep import files, mounts
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.component.node_prep.mps import asked, bench, folders, running, shared, trouble
from tests.component.node_prep.workbench import Workbench

pytestmark = pytest.mark.slow


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Workbench]:
    with bench(tmp_path) as made:
        yield made


def nothing_is_left(node: Workbench) -> bool:
    return (
        node.nothing_is_left()
        and node.gpu().compute_mode is ComputeMode.DEFAULT
        and running(node.mps.root) == []
        and folders(node.mps.root) == ()
    )


async def test_one_daemon_for_the_gpus_of_a_claim_and_nothing_of_it_afterwards(node: Workbench) -> None:
    await node.prepared(node.whole(0), node.whole(1), config=shared())
    [(_, environment)] = running(node.mps.root)
    uuids = sorted((node.gpu(0).uuid, node.gpu(1).uuid))
    assert environment["CUDA_VISIBLE_DEVICES"] == ",".join(uuids)
    modes = {node.gpu(minor).compute_mode for minor in (0, 1)}
    assert modes == {ComputeMode.EXCLUSIVE_PROCESS}
    await node.removed()
    assert nothing_is_left(node)


async def test_the_daemon_is_told_its_settings(node: Workbench) -> None:
    config = shared(defaultActiveThreadPercentage=30, defaultPinnedDeviceMemoryLimit="4Gi")
    await node.prepared(node.whole(), config=config)
    limit = f"get_default_device_pinned_mem_limit {node.gpu().uuid}"
    answers = asked(node.mps.root, node.nvml.driver_root, "get_default_active_thread_percentage", limit)
    assert answers == ["30.0", "4096M"]


async def test_the_daemon_serves_several_users_where_that_is_asked_for(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared(multiUser=True))
    [(process, _)] = running(node.mps.root)
    assert Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[-3:-1] == [b"-f", b"-M"]


async def test_pipe_log_and_memory_are_where_the_container_and_the_daemon_look(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared())
    [folder] = folders(node.mps.root)
    [(_, environment)] = running(node.mps.root)
    assert environment["CUDA_MPS_PIPE_DIRECTORY"] == str(folder / "pipe")
    assert environment["CUDA_MPS_LOG_DIRECTORY"] == str(folder / "log")
    assert not [name for name in environment if name.startswith("SLICEWIRE")]
    spec = json.loads((node.cdi_root / files.names(node.cdi_root)[0]).read_bytes())
    mounted = {
        one["containerPath"]: one["hostPath"] for one in spec["devices"][0]["containerEdits"]["mounts"]
    }
    assert mounted == {"/dev/shm": str(folder / "shm"), "/tmp/nvidia-mps": str(folder / "pipe")}


async def test_the_memory_is_half_of_the_machines_and_is_the_daemons_own(node: Workbench) -> None:
    await node.prepared(node.whole(), config=shared())
    [folder] = folders(node.mps.root)
    if not mounts.is_mounted(folder / "shm"):
        pytest.skip("nothing can be mounted here: it takes root and CAP_SYS_ADMIN")
    line = next(one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemTotal:"))
    size, half = os.statvfs(folder / "shm"), int(line.split()[1]) // 2 * 1024
    assert half <= size.f_blocks * size.f_frsize < half + size.f_frsize
    [(process, _)] = running(node.mps.root)
    (folder / "shm" / "mark").touch()
    assert Path(f"/proc/{process.pid}/root/dev/shm/mark").exists()


async def test_a_partition_that_is_made_for_the_claim_can_be_shared_too(node: Workbench) -> None:
    await node.prepared(node.part(0), config=shared("MigDeviceConfig"))
    mig = node.gpu().mig
    assert mig is not None
    [(_, environment)] = running(node.mps.root)
    assert environment["CUDA_VISIBLE_DEVICES"] == mig.instances[0].compute_instances[0].uuid
    await node.removed()
    assert nothing_is_left(node)


async def test_shares_have_one_daemon_which_ends_with_the_last_of_them(node: Workbench) -> None:
    for uid, memory in (("claim-1", "10Gi"), ("claim-2", "20Gi")):
        granted = {"memory": Quantity(memory)}
        await node.prepared(node.whole(), uid=uid, config=shared(), share_id=uid, consumed_capacity=granted)
    before = running(node.mps.root)
    assert len(before) == 1
    texts = [(node.cdi_root / name).read_text() for name in files.names(node.cdi_root)]
    assert ["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=10240M" in text for text in texts] == [True, False]
    assert ["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=20480M" in text for text in texts] == [False, True]
    await node.removed()
    assert running(node.mps.root) == before
    assert node.gpu().compute_mode is ComputeMode.EXCLUSIVE_PROCESS
    await node.removed("claim-2")
    assert nothing_is_left(node)


class Pascal:
    """The same GPUs, of an older architecture."""

    def __init__(self, nvml: NvmlControl) -> None:
        self._nvml = nvml

    def look(self) -> NodeFacts:
        facts = self._nvml.look()
        assert isinstance(facts, NodeFacts)
        old = (replace(gpu, cuda_compute_capability="6.1", product_name="P4") for gpu in facts.gpus)
        return replace(facts, gpus=tuple(old))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nvml, name)


async def test_several_users_take_a_gpu_of_at_least_volta(node: Workbench) -> None:
    node.nvml = cast("NvmlControl", Pascal(node.nvml))
    node.preparation = node.another()
    refusal = await node.prepare(node.whole(), config=shared(multiUser=True))
    assert refusal == PrepareRefusal(
        Why.UNSUPPORTED,
        f"sharing.mpsConfig.multiUser: {node.gpu().uuid} (P4) has CUDA compute capability 6.1; it takes 7.0",
    )
    assert nothing_is_left(node)
    await node.prepared(node.whole(), config=shared())


async def test_a_daemon_that_ends_by_itself_is_the_claims_refusal_with_its_last_words(
    node: Workbench,
) -> None:
    trouble(node.nvml.driver_root, fails="no licence")
    refusal = await node.prepare(node.whole(), config=shared())
    assert refusal is not None
    assert refusal.why is Why.DRIVER
    assert refusal.reason.endswith("it ended by itself: no licence")
    assert nothing_is_left(node)


async def test_a_daemon_that_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    with bench(tmp_path) as node:
        node.impatient(0.1)
        trouble(node.nvml.driver_root, slowSeconds=60)
        refusal = await node.prepare(node.whole(), config=shared())
        assert refusal is not None
        assert "no answer within 0.1 s" in refusal.reason
        assert nothing_is_left(node)


async def test_a_driver_without_the_program_is_refused(node: Workbench) -> None:
    node.nvml.set_compute_mode(node.gpu().uuid, ComputeMode.EXCLUSIVE_PROCESS)
    (node.nvml.driver_root / "usr/bin/nvidia-cuda-mps-control").unlink()
    refusal = await node.prepare(node.whole(), config=shared())
    assert refusal is not None
    assert f"there is no nvidia-cuda-mps-control in {node.nvml.driver_root}" in refusal.reason
    assert nothing_is_left(node)


async def test_turned_off_claims_are_refused_and_those_of_before_are_undone(node: Workbench) -> None:
    await node.prepared(node.whole(0), config=shared())
    node.offers_no_mps("it is turned off")
    await node.killed_and_started()
    refusal = await node.prepare(node.whole(1), uid="claim-2", config=shared())
    assert refusal == PrepareRefusal(Why.UNSUPPORTED, "it is turned off")
    await node.removed()
    assert nothing_is_left(node)
