"""The door to gRPC: what the kubelet asks of a DRA driver on its node, on two unix sockets.

It makes itself known (`pluginregistration`) and passes the kubelet's claims on, each on its own: an
error of one is never an error of the call. Rules that the kubelet enforces are noted where kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import grpc
import grpc.aio
import msgspec

from slicewire.common.logs import Log
from slicewire.common.messages import PreparedDevice
from slicewire.common.model import ClaimName, ClaimUID, DriverName, Namespace
from slicewire.common.settings import BadSettings
from slicewire.node_prep.api import dra_v1_pb2, dra_v1beta1_pb2, registration_pb2
from slicewire.node_prep.core.checkpoint import Asker
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.refusal import PrepareRefusal

REGISTRATION = "pluginregistration.Registration"
DRA_SERVICES: Mapping[str, tuple[str, ModuleType]] = {
    "v1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin", dra_v1_pb2),
    "v1beta1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin", dra_v1beta1_pb2),
}
"""By the name they are registered under. The kubelet takes the first it knows: the best comes first."""
_PLUGIN_TYPE = "DRAPlugin"
_LONGEST_SOCKET_PATH = 107
"""Bytes; `sun_path` of Linux has 108 with the final zero."""
_OURS_ALONE = 0o600
_FOLDER_MODE = 0o750
_GRACE_SECONDS = 5.0
_log = Log("node-prep.kubelet")


class Preparer(Protocol):
    """What the kubelet's questions are passed on to."""

    async def prepare(
        self, claim: Claim, asked_by: Asker, context: Mapping[str, str]
    ) -> tuple[PreparedDevice, ...] | PrepareRefusal: ...

    async def unprepare(
        self, claim: Claim, asked_by: Asker, context: Mapping[str, str]
    ) -> PrepareRefusal | None: ...


class Sockets(msgspec.Struct, frozen=True):
    """Where the two sockets are. The kubelet must find the same paths on the host."""

    dra: Path
    registration: Path


def sockets(driver: DriverName, plugin_dir: Path, registry_dir: Path) -> Sockets:
    """Raises `BadSettings` for a path that no socket can have."""
    return Sockets(
        _bounded(plugin_dir / "dra.sock", "PLUGIN_DIR"),
        _bounded(registry_dir / f"{driver}-reg.sock", "REGISTRY_DIR"),
    )


@asynccontextmanager
async def serving(preparer: Preparer, driver: DriverName, places: Sockets) -> AsyncIterator[None]:
    """Registration opens last and closes first: whoever finds us can ask us."""
    dra = (_dra(preparer, name, api) for name, api in DRA_SERVICES.values())
    async with (
        _listening(places.dra, dra),
        _listening(places.registration, [_registration(driver, places.dra)]),
    ):
        _log.info("kubelet sockets open", dra=places.dra, registration=places.registration)
        yield


def _bounded(path: Path, setting: str) -> Path:
    length = len(os.fsencode(path))
    if length > _LONGEST_SOCKET_PATH:
        raise BadSettings(
            f"SLICEWIRE_NODE_PREP_{setting}={str(path.parent)!r}: the socket {path} would have a path of"
            f" {length} bytes; Linux allows {_LONGEST_SOCKET_PATH}"
        )
    return path


@asynccontextmanager
async def _listening(path: Path, handlers: Iterable[grpc.GenericRpcHandler]) -> AsyncIterator[None]:
    _make_way(path)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(handlers))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    path.chmod(_OURS_ALONE)
    try:
        yield
    finally:
        await server.stop(_GRACE_SECONDS)
        path.unlink(missing_ok=True)


def _make_way(path: Path) -> None:
    """A socket left by the process before us is nobody's; anything else there is somebody's."""
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
        elif path.exists():
            raise BadSettings(f"{path} is in the way of our socket and is not a socket itself")
    except OSError as error:
        raise BadSettings(f"no socket can be made at {path}: {error.strerror}") from error


def _registration(driver: DriverName, endpoint: Path) -> grpc.GenericRpcHandler:
    async def get_info(_request: object, _context: object) -> registration_pb2.PluginInfo:
        return registration_pb2.PluginInfo(
            type=_PLUGIN_TYPE, name=driver, endpoint=str(endpoint), supported_versions=list(DRA_SERVICES)
        )

    async def notify(
        status: registration_pb2.RegistrationStatus, _context: object
    ) -> registration_pb2.RegistrationStatusResponse:
        if status.plugin_registered:
            _log.info("kubelet has registered us", driver=driver)
        else:  # it will ask again by itself, later and later
            _log.error("kubelet refuses to register us", driver=driver, reason=status.error)
        return registration_pb2.RegistrationStatusResponse()

    methods = {
        "GetInfo": _unary(get_info, registration_pb2.InfoRequest),
        "NotifyRegistrationStatus": _unary(notify, registration_pb2.RegistrationStatus),
    }
    return grpc.method_handlers_generic_handler(REGISTRATION, methods)


def _dra(preparer: Preparer, service: str, api: Any) -> grpc.GenericRpcHandler:
    """The versions of the service differ only in their messages, `api`."""

    async def prepare(request: Any, context: Any) -> Any:
        headers = _headers(context)

        async def one(claim: Claim) -> Any:
            done = await preparer.prepare(claim, Asker.KUBELET, headers)
            if isinstance(done, PrepareRefusal):
                return api.NodePrepareResourceResponse(error=done.reason)
            return api.NodePrepareResourceResponse(devices=[_device(api, device) for device in done])

        return api.NodePrepareResourcesResponse(claims=await _for_each(request.claims, one))

    async def unprepare(request: Any, context: Any) -> Any:
        headers = _headers(context)

        async def one(claim: Claim) -> Any:
            refusal = await preparer.unprepare(claim, Asker.KUBELET, headers)
            return api.NodeUnprepareResourceResponse(error="" if refusal is None else refusal.reason)

        return api.NodeUnprepareResourcesResponse(claims=await _for_each(request.claims, one))

    methods = {
        "NodePrepareResources": _unary(prepare, api.NodePrepareResourcesRequest),
        "NodeUnprepareResources": _unary(unprepare, api.NodeUnprepareResourcesRequest),
    }
    return grpc.method_handlers_generic_handler(service, methods)


async def _for_each(claims: Iterable[Any], ask: Any) -> dict[str, Any]:
    """Every UID of the request has an answer, and no other has (the kubelet checks both)."""
    asked = {
        claim.uid: Claim(
            uid=ClaimUID(claim.uid), namespace=Namespace(claim.namespace), name=ClaimName(claim.name)
        )
        for claim in claims
    }
    answers = await asyncio.gather(*(ask(claim) for claim in asked.values()))
    return dict(zip(asked, answers, strict=True))


def _device(api: Any, device: PreparedDevice) -> Any:
    """v1beta1 has no shares."""
    message = api.Device(
        request_names=device.request_names,
        pool_name=device.pool,
        device_name=device.device,
        cdi_device_ids=device.cdi_device_ids,
    )
    if device.share_id is not None and "share_id" in api.Device.DESCRIPTOR.fields_by_name:
        message.share_id = device.share_id
    return message


def _headers(context: Any) -> dict[str, str]:
    """The kubelet's trace context, where it traces."""
    return {
        name: value
        for name, value in context.invocation_metadata() or ()
        if name in ("traceparent", "tracestate") and isinstance(value, str)
    }


def _unary(behaviour: Any, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
