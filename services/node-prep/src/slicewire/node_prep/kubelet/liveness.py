"""`grpc.health.v1`: whether we live and whether we may be asked, for Kubernetes' gRPC probes.

It asks nobody and takes no lock: a probe must be answered while every claim waits for something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from slicewire.node_prep.api import health_pb2
from slicewire.node_prep.core.node import short
from slicewire.node_prep.kubelet.rpc import unary

HEALTH = "grpc.health.v1.Health"


def liveness(is_alive: Callable[[], bool], is_ready: Callable[[], bool]) -> grpc.GenericRpcHandler:
    """The services that can be asked for are `liveness` (the nameless one, too) and `readiness`."""
    checks = {"": is_alive, "liveness": is_alive, "readiness": is_ready}
    status = health_pb2.HealthCheckResponse

    async def check(request: health_pb2.HealthCheckRequest, context: Any) -> Any:
        asked = checks.get(request.service)
        if asked is None:
            reason = f"service {short(request.service)!r} is unknown; there are 'liveness' and 'readiness'"
            await context.abort(grpc.StatusCode.NOT_FOUND, reason)
        return status(status=status.SERVING if asked is not None and asked() else status.NOT_SERVING)

    return grpc.method_handlers_generic_handler(
        HEALTH, {"Check": unary(check, health_pb2.HealthCheckRequest)}
    )
