"""How node-prep makes itself known to the kubelet, and what it does about what is in its way."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from slicewire.common.model import DriverName
from slicewire.common.settings import BadSettings
from slicewire.node_prep import kubelet
from slicewire.node_prep.api import dra_v1_pb2, dra_v1beta1_pb2, registration_pb2
from tests.component.node_prep.harness import Station, asked, held
from tests.kubelet.client import Info, Kubelet, KubeletError
from tests.unit.node_prep.builders import DRIVER

SERVICE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"


async def test_the_kubelet_finds_the_driver_and_prefers_v1(station: Station) -> None:
    async with station.kubelet() as plugin:
        assert plugin.info == Info(
            type="DRAPlugin",
            name="gpu.nvidia.com",
            endpoint=str(station.disk.plugin_dir / "dra.sock"),
            supported_versions=(
                "v1.DRAPlugin",
                "v1beta1.DRAPlugin",
                "v1.DRAResourceHealth",
                "v1alpha1.DRAResourceHealth",
            ),
        )
        assert plugin.version == "v1.DRAPlugin"


async def test_it_registers_as_often_as_the_kubelet_asks(station: Station) -> None:
    async with station.serving():
        for _ in range(3):
            async with Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
                assert await plugin.unprepare([asked()]) == {"claim-1": ""}


async def test_a_kubelet_that_speaks_no_version_of_ours_says_so(station: Station) -> None:
    async with station.serving():
        ancient = Kubelet(station.disk.registry_dir, versions=["v1alpha3.Node"])
        with pytest.raises(KubeletError, match="none of services supported by the plugin"):
            async with ancient.registered(DRIVER):
                pass


async def test_a_refused_registration_is_an_error_with_the_kubelets_reason(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    async with station.serving():
        await Kubelet(station.disk.registry_dir).refuse(DRIVER, "endpoint already registered")
    [record] = [one for one in caplog.records if one.message == "kubelet refuses to register us"]
    assert record.levelname == "ERROR"
    assert record.__dict__["fields"] == {"driver": DRIVER, "reason": "endpoint already registered"}


async def test_sockets_of_a_killed_process_are_replaced(station: Station) -> None:
    for path in (station.disk.plugin_dir / "dra.sock", station.disk.registry_dir / f"{DRIVER}-reg.sock"):
        path.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        assert (await plugin.prepared(asked())).devices


async def test_the_sockets_go_when_we_go(station: Station) -> None:
    async with station.serving():
        assert len(Kubelet(station.disk.registry_dir).sockets()) == 1
    assert list(station.disk.registry_dir.iterdir()) == []
    assert not (station.disk.plugin_dir / "dra.sock").exists()


async def test_a_file_in_the_way_of_a_socket_is_not_ours_to_delete(station: Station) -> None:
    station.disk.registry_dir.mkdir(parents=True)
    precious = station.disk.registry_dir / f"{DRIVER}-reg.sock"
    precious.write_text("precious")
    with pytest.raises(ExceptionGroup) as raised:
        async with station.serving(ready=False) as service:
            await service.stopped()
    assert raised.group_contains(BadSettings, match="is in the way of our socket")
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(("length", "fits"), [(107, True), (108, False)])
def test_a_socket_path_is_at_most_107_bytes_long(length: int, fits: bool) -> None:
    folder = Path("/" + "x" * (length - len("//dra.sock")))
    assert len(str(folder / "dra.sock")) == length
    if fits:
        assert kubelet.sockets(DRIVER, folder, Path("/r")).dra == folder / "dra.sock"
        return
    with pytest.raises(BadSettings, match=r"SLICEWIRE_NODE_PREP_PLUGIN_DIR=.* 108 bytes; Linux allows 107"):
        kubelet.sockets(DRIVER, folder, Path("/r"))


def test_a_long_driver_name_is_measured_in_the_registry_too() -> None:
    with pytest.raises(BadSettings, match="SLICEWIRE_NODE_PREP_REGISTRY_DIR="):
        kubelet.sockets(DriverName("x" * 63 + ".example.com"), Path("/p"), Path("/" + "r" * 40))


async def test_a_request_that_is_no_message_fails_alone(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        async with grpc.aio.insecure_channel(f"unix:{station.disk.plugin_dir / 'dra.sock'}") as channel:
            call: Any = channel.unary_unary(f"{SERVICE}/NodePrepareResources")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call(b"\xff\xff\xff")
            assert "Error parsing message" in str(raised.value.details())
            unknown: Any = channel.unary_unary(f"{SERVICE}/NodeDance")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await unknown(b"")
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (await plugin.prepared(asked())).devices


async def test_no_claims_get_no_answers(station: Station) -> None:
    async with station.kubelet() as plugin:
        assert await plugin.prepare([]) == {}
        assert await plugin.unprepare([]) == {}


async def test_a_claim_named_twice_in_a_request_is_answered_once(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        assert list(await plugin.prepare([asked(), asked()])) == ["claim-1"]


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (
            registration_pb2.PluginInfo(type="a", name="b", endpoint="c", supported_versions=["d"]),
            b"\x0a\x01a\x12\x01b\x1a\x01c\x22\x01d",
        ),
        (
            registration_pb2.RegistrationStatus(plugin_registered=True, error="e"),
            b"\x08\x01\x12\x01e",
        ),
        (dra_v1_pb2.Claim(namespace="n", uid="u", name="m"), b"\x0a\x01n\x12\x01u\x1a\x01m"),
        (
            dra_v1_pb2.Device(
                request_names=["r"], pool_name="p", device_name="d", cdi_device_ids=["c"], share_id="s"
            ),
            b"\x0a\x01r\x12\x01p\x1a\x01d\x22\x01c\x2a\x01s",
        ),
        (
            dra_v1beta1_pb2.NodePrepareResourcesResponse(
                claims={"u": dra_v1beta1_pb2.NodePrepareResourceResponse(error="e")}
            ),
            b"\x0a\x08\x0a\x01u\x12\x03\x12\x01e",
        ),
        (
            dra_v1_pb2.NodeUnprepareResourcesResponse(
                claims={"u": dra_v1_pb2.NodeUnprepareResourceResponse(error="e")}
            ),
            b"\x0a\x08\x0a\x01u\x12\x03\x0a\x01e",
        ),
    ],
)
def test_messages_are_on_the_wire_as_the_kubelet_writes_them(message: Any, wire: bytes) -> None:
    """Field by field: a number that is wrong on both of our sides would otherwise never show."""
    assert message.SerializeToString() == wire
