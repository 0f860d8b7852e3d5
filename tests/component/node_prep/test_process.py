"""The command itself: started, told to stop, killed for real, and its trace."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import grpc.aio
import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from slicewire.common.bus.port import CaughtUp
from slicewire.common.messages import PREPARED as PREPARED_CHANNEL
from tests.component.node_prep.harness import Station, asked, held
from tests.component.node_prep.process import collecting, started
from tests.component.node_prep.test_prepare import PREPARED
from tests.kubelet import runtime
from tests.kubelet.client import Kubelet, KubeletError, Plugin
from tests.unit.node_prep.builders import DRIVER, NODE

pytestmark = pytest.mark.slow

LEDGER_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KUBELET_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_it_serves_until_told_to_stop_and_leaves_no_socket(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with started(station.disk, station.nats_url) as process:
        async with Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
            await plugin.prepared(asked())
            await station.told("claim-1", PREPARED)
        assert await process.stop() == 0
    assert list(station.disk.registry_dir.iterdir()) == []
    assert station.disk.cdi_file("claim-1").exists(), "containers run on without us"


@pytest.mark.slow
async def test_one_trace_leads_from_the_ledger_through_every_step(station: Station) -> None:
    entry = msgspec.structs.replace(held(trace=LEDGER_TRACE), pod_uids=("pod-1", "pod-2"))
    await station.author.tell_ledger(entry)
    with collecting() as collector:
        async with started(station.disk, station.nats_url, OTLP_ENDPOINT=collector.url) as process:
            async with Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
                await plugin.prepared(asked(), traceparent=KUBELET_TRACE)
                await station.told("claim-1", PREPARED)
            assert await process.stop() == 0
    [answer], [prepare] = map(collector.named, ("answer kubelet", "prepare claim"))
    assert (answer.trace_id.hex(), answer.parent_span_id.hex()) == tuple(LEDGER_TRACE.split("-")[1:3])
    assert (prepare.trace_id, prepare.parent_span_id) == (answer.trace_id, answer.span_id)
    [link] = answer.links
    assert (link.trace_id.hex(), link.span_id.hex()) == tuple(KUBELET_TRACE.split("-")[1:3])
    steps = [span for span in collector.spans if span.parent_span_id == prepare.span_id]
    assert sorted(span.name for span in steps) == ["checkpoint", "checkpoint", "write cdi file"]
    assert {pods_of(span) for span in (answer, prepare, *steps)} == {("pod-1", "pod-2")}
    assert await traceparent_told(station) == f"00-{prepare.trace_id.hex()}-{prepare.span_id.hex()}-01"


def pods_of(span: Span) -> tuple[str, ...]:
    """Those that it names; none where it names one alone, or none."""
    told = [each.value.array_value.values for each in span.attributes if each.key == "slicewire.pod_uid"]
    return tuple(value.string_value for values in told for value in values)


async def traceparent_told(station: Station) -> str:
    async for heard in station.bus.follow(PREPARED_CHANNEL.under(NODE)):
        assert not isinstance(heard, CaughtUp)
        return heard.headers["traceparent"]
    raise AssertionError("following never ends")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"NODE_PREP_CDI_ROT": "/x"}, "SLICEWIRE_NODE_PREP_CDI_ROT is not a setting of node_prep"),
        ({"NODE_PREP_PLUGIN_DIR": "/proc/x"}, "cannot keep its state: making /proc/x: No such file"),
        ({"NODE_PREP_CDI_ROOT": "/dev/null/x"}, "cannot keep its state: making /dev/null/x: Not a directory"),
    ],
    ids=["unknown", "no such place", "no directory"],
)
async def test_settings_that_cannot_be_used_are_said_in_one_line(
    station: Station, settings: dict[str, str], said: str
) -> None:
    async with started(station.disk, station.nats_url, **settings) as process:
        status, text = await process.exited()
    assert status == 2
    assert said in text.splitlines()[-1]
    assert "Traceback" not in text


async def churn(plugin: Plugin, claim: int) -> None:
    """Prepare and unprepare one claim until the service dies."""
    while True:
        await plugin.prepared(asked(f"claim-{claim}"))
        await plugin.unprepare([asked(f"claim-{claim}")])


@pytest.mark.slow
async def test_killed_again_and_again_while_working_it_loses_and_leaves_nothing(station: Station) -> None:
    await station.author.tell_ledger(*(held(f"claim-{number}", f"gpu-{number}") for number in range(4)))
    moments = random.Random(7)
    for _ in range(4):
        async with started(station.disk, station.nats_url) as process, AsyncExitStack() as open_until_death:
            plugin = await open_until_death.enter_async_context(
                Kubelet(station.disk.registry_dir).registered(DRIVER)
            )
            work = [asyncio.ensure_future(churn(plugin, number)) for number in range(4)]
            await asyncio.wait(work, timeout=moments.uniform(0.05, 0.4))
            await process.kill()
            for done in await asyncio.gather(*work, return_exceptions=True):
                assert isinstance(done, grpc.aio.AioRpcError), done
        for path in station.disk.registry_dir.iterdir():
            path.unlink()  # so that the next process is known by its own socket
    async with (
        started(station.disk, station.nats_url),
        Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin,
    ):
        for number in range(4):
            claim = asked(f"claim-{number}")
            answer = await plugin.prepared(claim)
            nodes = runtime.container(answer.cdi_device_ids, station.disk.cdi_root).device_nodes
            assert f"/dev/nvidia{number}" in nodes
            assert await plugin.unprepare([claim]) == {claim.uid: ""}
            await station.told(claim.uid, None)
    assert station.disk.cdi_files == ()
    assert station.disk.entries == {}
    assert [path.name for path in station.disk.plugin_dir.iterdir() if path.suffix == ".tmp"] == []


async def test_a_kubelet_that_finds_no_plugin_says_so(station: Station) -> None:
    with pytest.raises(KubeletError, match=r"DRA driver gpu\.nvidia\.com is not registered"):
        async with Kubelet(station.disk.registry_dir).registered(DRIVER, within_seconds=0.01):
            pass
