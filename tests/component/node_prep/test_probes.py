"""Kubernetes' gRPC probes: answered by whoever serves the claims, without asking for any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from slicewire.client.local.broker import Broker
from slicewire.node_prep.api import health_pb2
from tests.component.node_prep.harness import Station

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def probed(socket: Path, service: str = "") -> int:
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        check: Any = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        return int((await check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status)


async def test_it_lives_while_it_can_be_found_and_is_ready_when_it_knows(
    station: Station, broker: Broker
) -> None:
    socket = station.disk.plugin_dir / "dra.sock"
    async with station.serving() as service:
        assert [await probed(socket, name) for name in ("", "liveness", "readiness")] == [SERVING] * 3
        registration = next(station.disk.registry_dir.iterdir())
        registration.unlink()
        assert [await probed(socket, name) for name in ("", "liveness", "readiness")] == [
            NOT_SERVING,
            NOT_SERVING,
            SERVING,
        ]
        assert service.preparation.checkpoint.entries == {}
    await broker.stop()
    async with station.serving(ready=False) as service:
        while not socket.exists():
            await service.hearing.next_change(0, at_most_seconds=0.01)
        assert await probed(socket, "liveness") == SERVING
        assert await probed(socket, "readiness") == NOT_SERVING
    await broker.start()


async def test_a_service_that_is_unknown_is_not_found(station: Station) -> None:
    async with station.serving():
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await probed(station.disk.plugin_dir / "dra.sock", "startup")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == "service 'startup' is unknown; there are 'liveness' and 'readiness'"
