"""The servers behind the sockets: opened and closed in the order that loses no question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import msgspec

from slicewire.common.logs import Log
from slicewire.common.model import DriverName
from slicewire.common.settings import BadSettings
from slicewire.node_prep.kubelet import claims, devicehealth
from slicewire.node_prep.kubelet.claims import Preparer
from slicewire.node_prep.kubelet.devicehealth import Reports
from slicewire.node_prep.kubelet.liveness import liveness
from slicewire.node_prep.kubelet.places import Sockets, make_way
from slicewire.node_prep.kubelet.registration import registration

VERSIONS = (*claims.SERVICES, *devicehealth.SERVICES)
_OURS_ALONE = 0o600
_GRACE_SECONDS = 5.0
_log = Log("node-prep.kubelet")


class Asked(msgspec.Struct, frozen=True):
    """Who answers what."""

    preparer: Preparer
    health: Reports
    is_ready: Callable[[], bool]
    probe_port: int = 0
    """Where gRPC probes are answered, on all addresses; 0: on the driver's own socket only."""


@asynccontextmanager
async def serving(asked: Asked, driver: DriverName, places: Sockets) -> AsyncIterator[None]:
    """Registration opens last and closes first: whoever finds us can ask us. Raises `BadSettings`."""
    make_way(driver, places)
    probes = liveness(places.exist, asked.is_ready)
    async with AsyncExitStack() as opened:
        if asked.probe_port:
            await opened.enter_async_context(_listening(f"[::]:{asked.probe_port}", [probes]))
        dra = (*claims.claims(asked.preparer), *devicehealth.device_health(asked.health), probes)
        await opened.enter_async_context(_on_socket(places.dra, dra))
        known = registration(driver, places.dra, VERSIONS)
        await opened.enter_async_context(_on_socket(places.registration, [known]))
        opened.push_async_callback(asked.health.end)
        _log.info("kubelet sockets open", dra=places.dra, registration=places.registration)
        yield


@asynccontextmanager
async def _on_socket(path: Path, handlers: Iterable[grpc.GenericRpcHandler]) -> AsyncIterator[None]:
    try:
        async with _listening(f"unix:{path}", handlers):
            path.chmod(_OURS_ALONE)
            yield
    finally:
        path.unlink(missing_ok=True)


@asynccontextmanager
async def _listening(address: str, handlers: Iterable[grpc.GenericRpcHandler]) -> AsyncIterator[None]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(handlers))
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # what gRPC says holds no reason that could be acted on
        raise BadSettings(f"nothing can be served at {address}: it is taken, or not ours to use") from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_SECONDS)
