"""A kubelet-like client: finds a plugin, registers it, and asks it for claims, as strictly as a kubelet.

What it refuses, a real kubelet refuses, in nearly the same words. It is no kubelet in that it runs
no pods, keeps no state and retries nothing.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import grpc.aio
import msgspec

from slicewire.node_prep.api import (
    dra_health_v1_pb2,
    dra_health_v1alpha1_pb2,
    dra_v1_pb2,
    dra_v1beta1_pb2,
    registration_pb2,
)

DIAL_SECONDS = 10.0
INFO_SECONDS = 1.0
NOTIFY_SECONDS = 5.0
CALL_SECONDS = 45.0
LONGEST_MESSAGE = 1024
_SCAN_SECONDS = 0.05
_SERVICES: Mapping[str, tuple[str, ModuleType]] = {
    "v1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin", dra_v1_pb2),
    "v1beta1.DRAPlugin": ("k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin", dra_v1beta1_pb2),
}
_HEALTH_SERVICES: Mapping[str, ModuleType] = {
    "v1.DRAResourceHealth": dra_health_v1_pb2,
    "v1alpha1.DRAResourceHealth": dra_health_v1alpha1_pb2,
}
"""Of kubelets 1.37 and 1.36."""


class KubeletError(Exception):
    """The kubelet would not go on; the message is what it would say."""


class AskedClaim(msgspec.Struct, frozen=True):
    uid: str
    name: str
    namespace: str = "default"


class GivenDevice(msgspec.Struct, frozen=True):
    request_names: tuple[str, ...]
    pool_name: str
    device_name: str
    cdi_device_ids: tuple[str, ...]
    share_id: str | None = None


class Answer(msgspec.Struct, frozen=True):
    devices: tuple[GivenDevice, ...] = ()
    error: str = ""

    @property
    def cdi_device_ids(self) -> tuple[str, ...]:
        return tuple(identifier for device in self.devices for identifier in device.cdi_device_ids)


class ReportedHealth(msgspec.Struct, frozen=True):
    pool_name: str
    device_name: str
    health: str
    message: str
    last_updated_time: int
    health_check_timeout_seconds: int


class Info(msgspec.Struct, frozen=True):
    type: str
    name: str
    endpoint: str
    supported_versions: tuple[str, ...]


class Plugin:
    """A registered driver and the connection to it."""

    def __init__(self, info: Info, version: str, channel: grpc.aio.Channel) -> None:
        self.info = info
        self.version = version
        self._service, self._api = _SERVICES[version]
        self._channel = channel

    async def prepare(self, claims: Sequence[AskedClaim], traceparent: str = "") -> dict[str, Answer]:
        """Per-claim errors are in the answers; a wrong answer raises `KubeletError`."""
        response = await self._call("NodePrepareResources", claims, traceparent)
        return {uid: _answer(one) for uid, one in response.claims.items()}

    async def prepared(self, claim: AskedClaim, traceparent: str = "") -> Answer:
        """One claim, and an error of it stops the pod."""
        answer = (await self.prepare([claim], traceparent))[claim.uid]
        if answer.error:
            raise KubeletError(f"NodePrepareResources failed for ResourceClaim {claim.name}: {answer.error}")
        return answer

    async def unprepare(self, claims: Sequence[AskedClaim], traceparent: str = "") -> dict[str, str]:
        """The error of each claim; empty where it is unprepared."""
        response = await self._call("NodeUnprepareResources", claims, traceparent)
        return {uid: one.error for uid, one in response.claims.items()}

    async def health(
        self, service: str = "v1.DRAResourceHealth"
    ) -> AsyncIterator[tuple[ReportedHealth, ...]]:
        """Every list the plugin sends, for as long as it sends any. A list that a kubelet would take
        amiss raises `KubeletError`."""
        if service not in self.info.supported_versions:
            raise KubeletError(f"plugin {self.info.name} does not support {service}")
        api: Any = _HEALTH_SERVICES[service]
        watch: Any = self._channel.unary_stream(
            f"/{service}/NodeWatchResources",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=api.NodeWatchResourcesResponse.FromString,
        )
        async for response in watch(api.NodeWatchResourcesRequest()):
            yield tuple(_reported(api, device) for device in response.devices)

    async def _call(self, method: str, claims: Sequence[AskedClaim], traceparent: str) -> Any:
        request = getattr(self._api, f"{method}Request")(
            claims=[self._api.Claim(namespace=c.namespace, uid=c.uid, name=c.name) for c in claims]
        )
        call = _method(self._channel, f"/{self._service}/{method}", getattr(self._api, f"{method}Response"))
        metadata = (("traceparent", traceparent),) if traceparent else ()
        response = await call(request, timeout=CALL_SECONDS, metadata=metadata)
        _check_uids(method, {claim.uid for claim in claims}, set(response.claims))
        return response


class Kubelet:
    """`versions` are the DRA services it speaks; a real one takes the plugin's first that it knows."""

    def __init__(self, registry_dir: Path, versions: Iterable[str] = _SERVICES) -> None:
        self._registry_dir = registry_dir
        self._versions = frozenset(versions)

    @asynccontextmanager
    async def registered(self, driver: str, within_seconds: float = DIAL_SECONDS) -> AsyncIterator[Plugin]:
        """The driver's plugin, as soon as its socket is in the registry; of several, the latest."""
        socket = await self._socket(driver, within_seconds)
        async with _connected(socket) as registration:
            info = await _info(registration)
            try:
                version = self._checked(info, driver)
            except KubeletError as error:
                await _notify(registration, error=str(error))
                raise
            async with _connected(Path(info.endpoint)) as channel:
                await _notify(registration)
                yield Plugin(info, version, channel)

    async def refuse(self, driver: str, reason: str) -> None:
        """Tell the plugin that it is not registered."""
        async with _connected(await self._socket(driver, DIAL_SECONDS)) as registration:
            await _notify(registration, error=reason)

    def sockets(self) -> tuple[Path, ...]:
        """Hidden names and what is no socket are ignored."""
        if not self._registry_dir.is_dir():
            return ()
        return tuple(
            path
            for path in sorted(self._registry_dir.rglob("*"))
            if not path.name.startswith(".") and _is_socket(path)
        )

    async def _socket(self, driver: str, within_seconds: float) -> Path:
        """A real kubelet is told by the file system; a scan every now and then does the same here."""
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    those = [path for path in self.sockets() if path.name.startswith(driver)]
                    if those:
                        return max(those, key=lambda path: path.stat().st_ctime_ns)
                    await asyncio.sleep(_SCAN_SECONDS)
        except TimeoutError:
            raise KubeletError(
                f"DRA driver {driver} is not registered: no socket in {self._registry_dir}"
            ) from None

    def _checked(self, info: Info, driver: str) -> str:
        if info.type != "DRAPlugin":
            raise KubeletError(f"plugin {info.name} has type {info.type!r}, not DRAPlugin")
        if info.name != driver:
            raise KubeletError(f"plugin calls itself {info.name!r}, not {driver!r}")
        if not Path(info.endpoint).is_absolute():
            raise KubeletError(f"endpoint {info.endpoint!r} of plugin {info.name} is no absolute path")
        if not info.supported_versions:
            raise KubeletError("empty list of supported gRPC services")
        for version in info.supported_versions:
            if version in self._versions:
                return version
        raise KubeletError(
            f"none of services supported by the plugin ({', '.join(info.supported_versions)})"
            f" are supported by the kubelet ({', '.join(sorted(self._versions))})"
        )


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:  # gone between the scan and the look
        return False


@asynccontextmanager
async def _connected(socket: Path) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), DIAL_SECONDS)
        except TimeoutError:
            raise KubeletError(f"failed to dial {socket}") from None
        yield channel


async def _info(channel: grpc.aio.Channel) -> Info:
    call = _method(channel, "/pluginregistration.Registration/GetInfo", registration_pb2.PluginInfo)
    found = await call(registration_pb2.InfoRequest(), timeout=INFO_SECONDS)
    return Info(found.type, found.name, found.endpoint, tuple(found.supported_versions))


async def _notify(channel: grpc.aio.Channel, error: str = "") -> None:
    call = _method(
        channel,
        "/pluginregistration.Registration/NotifyRegistrationStatus",
        registration_pb2.RegistrationStatusResponse,
    )
    status = registration_pb2.RegistrationStatus(plugin_registered=not error, error=error)
    await call(status, timeout=NOTIFY_SECONDS)


def _method(channel: grpc.aio.Channel, path: str, response: Any) -> Any:
    return channel.unary_unary(
        path,
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=response.FromString,
    )


def _check_uids(method: str, asked: set[str], answered: set[str]) -> None:
    for unknown in sorted(answered - asked):
        raise KubeletError(f"{method} returned result for unknown claim UID {unknown}")
    if skipped := len(asked - answered):
        raise KubeletError(f"{method} skipped {skipped} ResourceClaims")


def _answer(response: Any) -> Answer:
    return Answer(tuple(map(_given, response.devices)), response.error)


def _reported(api: Any, device: Any) -> ReportedHealth:
    where = device.device
    if not where.pool_name or not where.device_name:
        raise KubeletError("a device whose health is told has no pool or no name")
    if len(device.message.encode()) > LONGEST_MESSAGE:
        raise KubeletError(f"the message about device {where.device_name} is too long")
    return ReportedHealth(
        where.pool_name,
        where.device_name,
        api.HealthStatus.Name(device.health),
        device.message,
        device.last_updated_time,
        device.health_check_timeout_seconds,
    )


def _given(device: Any) -> GivenDevice:
    shared = "share_id" in device.DESCRIPTOR.fields_by_name and device.HasField("share_id")
    if not device.pool_name or not device.device_name:
        raise KubeletError("a device has no pool or no name")
    return GivenDevice(
        tuple(device.request_names),
        device.pool_name,
        device.device_name,
        tuple(device.cdi_device_ids),
        device.share_id if shared else None,
    )
