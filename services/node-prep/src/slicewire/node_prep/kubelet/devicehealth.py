"""`DRAResourceHealth`: the kubelet watches how the devices fare and tells it in the status of their pods."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from types import ModuleType
from typing import Any, Protocol

import grpc

from slicewire.node_prep.api import dra_health_v1_pb2, dra_health_v1alpha1_pb2
from slicewire.node_prep.core.health import DeviceHealth
from slicewire.node_prep.kubelet.rpc import stream

SERVICES: Mapping[str, ModuleType] = {
    "v1.DRAResourceHealth": dra_health_v1_pb2,
    "v1alpha1.DRAResourceHealth": dra_health_v1alpha1_pb2,
}
"""Registered under the very name they have on the wire. A kubelet 1.36 watches v1alpha1 and one of
1.37 v1."""


class Reports(Protocol):
    """Where the news of the devices comes from."""

    @property
    def timeout_seconds(self) -> int: ...

    def reports(self) -> AsyncIterator[tuple[DeviceHealth, ...]]: ...

    async def end(self) -> None: ...


def device_health(watch: Reports) -> Iterable[grpc.GenericRpcHandler]:
    return (_of_version(watch, service, api) for service, api in SERVICES.items())


def _of_version(watch: Reports, service: str, api: Any) -> grpc.GenericRpcHandler:
    async def node_watch_resources(_request: object, _context: object) -> AsyncIterator[Any]:
        async for report in watch.reports():
            now = int(time.time())
            devices = [_message(api, one, now, watch.timeout_seconds) for one in report]
            yield api.NodeWatchResourcesResponse(devices=devices)

    methods = {"NodeWatchResources": stream(node_watch_resources, api.NodeWatchResourcesRequest)}
    return grpc.method_handlers_generic_handler(service, methods)


def _message(api: Any, one: DeviceHealth, now: int, timeout_seconds: int) -> Any:
    return api.DeviceHealth(
        device=api.DeviceIdentifier(pool_name=one.pool, device_name=one.device),
        health=api.HealthStatus.Value(one.status),
        last_updated_time=now,
        health_check_timeout_seconds=timeout_seconds,
        message=one.message,
    )
