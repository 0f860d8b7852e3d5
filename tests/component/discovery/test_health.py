"""What befalls a GPU is told as a taint, on what it concerns alone, until the GPU has recovered."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.nvml.simulated.state import NodeState
from slicewire.discovery.core.health.rules import APPLICATION_XIDS
from tests.component.discovery.world import NODE, SimulatedNode, discovering, hears, latest, names, taints

pytestmark = pytest.mark.slow

XID, LOST = "gpu.nvidia.com/xid", "gpu.nvidia.com/gpu-lost"
ACTION, ECC, HEAT = "slicewire.dev/recovery-action", "slicewire.dev/uncorrected-ecc", "slicewire.dev/thermal"
PENDING, FAILED = "slicewire.dev/row-remap-pending", "slicewire.dev/row-remap-failed"
NO, GO = "NoSchedule", "NoExecute"


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    return SimulatedNode(tmp_path, gpus=2)


@pytest.mark.parametrize(
    ("fault", "taint"),
    [
        ("xid=79", {XID: ("79", NO), ACTION: ("reset", NO)}),
        ("ecc", {XID: ("48", NO), ACTION: ("reset", NO), ECC: ("1", NO), PENDING: ("pending", NO)}),
        ("remap", {XID: ("63", NO), PENDING: ("pending", NO)}),
        ("remap-failed", {XID: ("64", NO), FAILED: ("failed", NO)}),
        ("thermal", {HEAT: ("hardwareThermal", NO)}),
        ("lost", {LOST: ("lost", NO)}),
        ("remove", {LOST: ("gone", NO)}),
    ],
)
async def test_a_fault_taints_its_gpu_and_no_other(
    bus: NatsBus, nats_url: str, node: SimulatedNode, fault: str, taint: dict[str, tuple[str, str]]
) -> None:
    async with discovering(nats_url, node):
        whole = await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(1, fault)
        ill = await hears(bus, lambda pool: pool.generation == 2)
        assert taints(ill) == {"gpu-1": taint}
        assert names(ill) == names(whole)
        assert all(taint.time_added for device in ill.devices for taint in device.taints)


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("xid=79", "reset"),
        ("xid=79", "recover"),
        ("ecc", "reset"),
        ("remap", "reset"),
        ("lost", "recover"),
        ("remove", "add"),
    ],
)
async def test_a_gpu_that_has_recovered_has_no_taint(
    bus: NatsBus, nats_url: str, node: SimulatedNode, fault: str, remedy: str
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(1, fault)
        await hears(bus, lambda pool: pool.generation == 2)
        node.befalls(1, remedy)
        again = await hears(bus, lambda pool: pool.generation == 3)
        assert taints(again) == {}
        assert names(again) == ["gpu-0", "gpu-1"]


async def test_a_gpu_that_cools_down_must_stay_so_for_its_quiet_time(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    node.has_health_rules(thermal={"quietSeconds": 1})
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "thermal")
        await hears(bus, lambda pool: taints(pool).keys() == {"gpu-0"})
        node.befalls(0, "recover")
        assert taints(await hears(bus, lambda pool: pool.generation == 3)) == {}


async def test_the_error_of_an_application_is_no_error_of_the_gpu(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        for code in APPLICATION_XIDS:
            node.befalls(0, f"xid={code}")
        node.befalls(1, "thermal")
        assert taints(await hears(bus, lambda pool: pool.generation == 2)).keys() == {"gpu-1"}


async def test_the_policy_says_who_must_go(bus: NatsBus, nats_url: str, node: SimulatedNode) -> None:
    node.has_health_rules(xid={"effects": {79: "NoExecute", 13: "None"}}, recoveryAction={"effect": "Off"})
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "xid=13")
        mild = await hears(bus, lambda pool: pool.generation == 2)
        assert taints(mild) == {"gpu-0": {XID: ("13", "None")}}
        node.befalls(0, "xid=79")
        severe = await hears(bus, lambda pool: pool.generation == 3)
        assert taints(severe) == {"gpu-0": {XID: ("79", GO)}}


async def test_a_policy_that_changes_is_heeded_without_a_restart(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    node.has_health_rules(gpuLost={"effect": "NoExecute"})
    async with discovering(nats_url, node) as running:
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "lost")
        assert taints(await hears(bus, lambda pool: pool.generation == 2)) == {"gpu-0": {LOST: ("lost", GO)}}
        node.has_health_rules()
        running.watch.wake()
        assert taints(await hears(bus, lambda pool: pool.generation == 3)) == {"gpu-0": {LOST: ("lost", NO)}}


async def test_an_error_in_one_mig_device_leaves_the_others_alone(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    first, second = cut_in_two(node)
    async with discovering(nats_url, node):
        whole = await hears(bus, lambda pool: pool.generation == 1)
        assert len(names(whole)) == 3
        node.change(lambda state: _xid_in(state, 94, instance=second))
        ill = await hears(bus, lambda pool: pool.generation == 2)
        (name,) = taints(ill)
        assert name.startswith("gpu-0-mig-1g10gb-19-")
        node.change(lambda state: state.with_xid(0, 95))
        everything = await hears(bus, lambda pool: pool.generation == 3)
        assert set(taints(everything)) == {device for device in names(everything) if device != "gpu-1"}
        assert first != second


async def test_the_error_of_a_mig_device_goes_with_it(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    first, _ = cut_in_two(node)
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.change(lambda state: _xid_in(state, 94, instance=first))
        await hears(bus, lambda pool: len(taints(pool)) == 1)
        destroy(node, first)
        assert taints(await hears(bus, lambda pool: len(pool.devices) == 2)) == {}


async def test_a_new_agent_knows_what_the_old_one_found(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "xid=62")
        await hears(bus, lambda pool: "gpu-0" in taints(pool))
        node.befalls(1, "remove")
        before = await hears(bus, lambda pool: len(taints(pool)) == 2)
    async with discovering(nats_url, node) as again:
        await again.nvml.settled()
        assert (await latest(bus))[NODE][1].devices == before.devices


async def test_a_new_agent_without_the_file_hears_it_from_the_stream(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    node.health_file = None
    await test_a_new_agent_knows_what_the_old_one_found(bus, nats_url, node)


@pytest.mark.slow
async def test_a_quiet_time_ends_what_needs_no_action(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    node.has_health_rules(xid={"quietSeconds": 1})
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "xid=94")
        assert taints(await hears(bus, lambda pool: pool.generation == 2)) == {"gpu-0": {XID: ("94", NO)}}
        assert taints(await hears(bus, lambda pool: pool.generation == 3)) == {}


def cut_in_two(node: SimulatedNode) -> tuple[int, int]:
    """The ids of two GPU instances of gpu-0, each with its compute instance."""
    nvml = node.nvml()
    gpu = node.uuid(0)
    nvml.set_mig_mode(gpu, enabled=True)
    made = []
    for start in (0, 1):
        instance = nvml.create_gpu_instance(gpu, 19, start)
        assert instance.whole is not None
        nvml.create_compute_instance(gpu, instance.id, instance.whole.id)
        made.append(instance.id)
    nvml.close()
    return made[0], made[1]


def destroy(node: SimulatedNode, instance: int) -> None:
    nvml = node.nvml()
    gpu = node.uuid(0)
    nvml.destroy_compute_instance(gpu, instance, 0)
    nvml.destroy_gpu_instance(gpu, instance)
    nvml.close()


def _xid_in(state: NodeState, code: int, instance: int) -> NodeState:
    """In one MIG device of gpu-0."""
    reported = state.with_xid(0, code)
    *others, xid = reported.xids
    there = msgspec.structs.replace(xid, gpu_instance=instance, compute_instance=0)
    return msgspec.structs.replace(reported, xids=(*others, there))
