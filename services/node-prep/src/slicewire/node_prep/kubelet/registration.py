"""How the kubelet gets to know us: it finds our socket in its registry, asks, and says what came of it."""

from __future__ import annotations

from pathlib import Path

import grpc

from slicewire.common.logs import Log
from slicewire.common.model import DriverName
from slicewire.node_prep.api import registration_pb2
from slicewire.node_prep.kubelet.rpc import unary

REGISTRATION = "pluginregistration.Registration"
_PLUGIN_TYPE = "DRAPlugin"
_log = Log("node-prep.kubelet")


def registration(driver: DriverName, endpoint: Path, versions: tuple[str, ...]) -> grpc.GenericRpcHandler:
    """`versions` are the services at the endpoint. The kubelet takes the first it knows: the best comes
    first."""

    async def get_info(_request: object, _context: object) -> registration_pb2.PluginInfo:
        return registration_pb2.PluginInfo(
            type=_PLUGIN_TYPE, name=driver, endpoint=str(endpoint), supported_versions=list(versions)
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
        "GetInfo": unary(get_info, registration_pb2.InfoRequest),
        "NotifyRegistrationStatus": unary(notify, registration_pb2.RegistrationStatus),
    }
    return grpc.method_handlers_generic_handler(REGISTRATION, methods)
