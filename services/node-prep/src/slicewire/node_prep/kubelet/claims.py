"""`DRAPlugin`: the kubelet's claims, prepared and unprepared, each answered on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, Protocol

import grpc

from slicewire.common.messages import PreparedDevice
from slicewire.common.model import ClaimName, ClaimUID, Namespace
from slicewire.node_prep.api import dra_v1_pb2, dra_v1beta1_pb2
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.kubelet.rpc import unary

SERVICES: Mapping[str, tuple[str, ModuleType]] = {
    "v1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin", dra_v1_pb2),
    "v1beta1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin", dra_v1beta1_pb2),
}
"""By the name they are registered under, and what they are called on the wire."""


class Preparer(Protocol):
    """What the kubelet's questions are passed on to."""

    async def prepare(
        self, claim: Claim, asked_by: Asker, context: Mapping[str, str]
    ) -> tuple[PreparedDevice, ...] | PrepareRefusal: ...

    async def unprepare(
        self, claim: Claim, asked_by: Asker, context: Mapping[str, str]
    ) -> PrepareRefusal | None: ...


def claims(preparer: Preparer) -> Iterable[grpc.GenericRpcHandler]:
    return (_of_version(preparer, service, api) for service, api in SERVICES.values())


def _of_version(preparer: Preparer, service: str, api: Any) -> grpc.GenericRpcHandler:
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
        "NodePrepareResources": unary(prepare, api.NodePrepareResourcesRequest),
        "NodeUnprepareResources": unary(unprepare, api.NodeUnprepareResourcesRequest),
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
    if len(asked) == 1:  # as nearly always: no task of its own is made for it
        return {uid: await ask(claim) for uid, claim in asked.items()}
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
