"""A receiver for OTLP over HTTP: what the services really export, as values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


class ReceivedSpan(msgspec.Struct, frozen=True):
    service: str
    instance: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    begun_nanoseconds: int
    ended_nanoseconds: int
    attributes: dict[str, str]
    links: tuple[str, ...] = ()
    """Ids of the traces it is linked to."""

    @property
    def milliseconds(self) -> float:
        return (self.ended_nanoseconds - self.begun_nanoseconds) / 1e6


class Receiver:
    """Spans as they came in."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.endpoint = ""
        self._arrived = asyncio.Condition()

    def trace(self, trace_id: str) -> tuple[ReceivedSpan, ...]:
        """The spans of one trace, in the order they began."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        return tuple(sorted(found, key=lambda span: span.begun_nanoseconds))

    async def until_it_has(self, names: Sequence[str], trace_id: str, seconds: float) -> bool:
        """Wait until spans of all these names have come in under the trace."""
        try:
            async with asyncio.timeout(seconds), self._arrived:
                await self._arrived.wait_for(
                    lambda: {*names} <= {span.name for span in self.spans if span.trace_id == trace_id}
                )
        except TimeoutError:
            return False
        return True

    async def take_in(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        async with self._arrived:
            self.spans += _spans(message)
            self._arrived.notify_all()
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")


def _spans(message: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource in message.resource_spans:
        about = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    service=about.get("service.name", ""),
                    instance=about.get("service.instance.id", ""),
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    begun_nanoseconds=span.start_time_unix_nano,
                    ended_nanoseconds=span.end_time_unix_nano,
                    attributes={item.key: _text(item.value) for item in span.attributes},
                    links=tuple(link.trace_id.hex() for link in span.links),
                )


def _text(value: AnyValue) -> str:
    """Several as one text, with spaces between."""
    each = value.array_value.values if value.HasField("array_value") else (value,)
    return " ".join(one.string_value for one in each)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on loopback; `endpoint` is what the services are told."""
    receiver = Receiver()
    application = web.Application(client_max_size=64 * 1024**2)
    application.router.add_post("/v1/traces", receiver.take_in)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.endpoint = f"http://127.0.0.1:{port}"
        yield receiver
    finally:
        await runner.cleanup()


def tree(spans: Sequence[ReceivedSpan]) -> tuple[str, ...]:
    """The trace as people read it: one line a span, children below and to the right, durations behind."""
    known = {span.span_id for span in spans}
    lines: list[str] = []

    def draw(span: ReceivedSpan, stem: str, branch: str) -> None:
        children = [child for child in spans if child.parent_id == span.span_id]
        text = f"{stem}{branch}{span.name}"
        lines.append(f"{text:<58} {span.milliseconds:9.2f} ms   {span.instance or span.service}")
        deeper = stem + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for child in children:
            draw(child, deeper, "└─ " if child is children[-1] else "├─ ")

    for span in spans:
        if span.parent_id not in known:
            draw(span, "", "")
    return tuple(lines)
