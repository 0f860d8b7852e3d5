"""The door to OpenTelemetry: spans, and trace context carried in headers.

Off (a no-op that still passes trace context on) unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set; then
spans go out over OTLP/HTTP, in batches, from a thread of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum

from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider

from slicewire.common.model import TraceParent

Attribute = str | int | bool | Sequence[str]
_EXPORT_EVERY_MILLISECONDS = 500
_TRACER = trace.get_tracer("slicewire")
_EXPORTING: list[TracerProvider] = []
"""At most one, and for good: that is how OpenTelemetry has it."""


class Kind(Enum):
    """What a span is to the one before it: a call, the answer to one, a fact told, a fact heard."""

    INTERNAL = trace.SpanKind.INTERNAL
    CLIENT = trace.SpanKind.CLIENT
    SERVER = trace.SpanKind.SERVER
    PRODUCER = trace.SpanKind.PRODUCER
    CONSUMER = trace.SpanKind.CONSUMER


class Span:
    """A step of the work at hand."""

    def __init__(self, inner: trace.Span, passing: TraceParent | None = None) -> None:
        self._inner = inner
        self._passing = passing
        """Where nothing is exported: the trace context that is passed on as it came."""

    def tell(self, **attributes: Attribute) -> None:
        """More is known now: `claim_uid=…` becomes the attribute `slicewire.claim_uid`."""
        for name, value in attributes.items():
            self._inner.set_attribute(f"slicewire.{name}", value)

    def failed(self, reason: str) -> None:
        self._inner.set_status(trace.StatusCode.ERROR, reason)

    def traceparent(self) -> TraceParent:
        """This span as one word; "" when nothing is traced."""
        if self._passing is not None:
            return self._passing
        found: dict[str, str] = {}
        propagate.inject(found, context=trace.set_span_in_context(self._inner, context.Context()))
        return TraceParent(found.get("traceparent", ""))

    def end(self) -> None:
        """For spans of `begin` only."""
        self._inner.end()


def _is_off() -> bool:
    return not _EXPORTING


def _is_inside_a_trace() -> bool:
    """Most often there is no context at all, which is quickly seen."""
    return bool(context.get_current()) and trace.get_current_span().get_span_context().is_valid


def begin(name: str, parent: TraceParent, **attributes: Attribute) -> Span:
    """A span that is not made current: for steps of many traces done at once. End it yourself."""
    if _is_off():
        return Span(trace.INVALID_SPAN, parent)
    return Span(
        _TRACER.start_span(
            name,
            context=propagate.extract({"traceparent": parent}, context=context.Context()),
            attributes={f"slicewire.{key}": value for key, value in attributes.items()},
        )
    )


def _provider(part: str, instance: str, endpoint: str) -> TracerProvider:
    # Costs a start 30 ms and an agent 5 MB: only where spans go somewhere.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"slicewire-{part}", "service.instance.id": instance})
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=2)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, schedule_delay_millis=_EXPORT_EVERY_MILLISECONDS, export_timeout_millis=2000
        )
    )
    return provider


@contextmanager
def exporting(part: str, instance: str, endpoint: str) -> Iterator[None]:
    """Export spans to this OTLP endpoint while open; the rest is sent on the way out. "" exports nothing."""
    if not endpoint:
        yield
        return
    provider = _provider(part, instance, endpoint)
    trace.set_tracer_provider(provider)
    _EXPORTING.append(provider)
    try:
        yield
    finally:
        provider.shutdown()


@contextmanager
def span(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    parent: Mapping[str, str] | None = None,
    links: Sequence[Mapping[str, str]] = (),
    **attributes: Attribute,
) -> Iterator[Span]:
    """A span under `parent` (headers with a `traceparent`), or under the current one when None.

    A parent without trace context starts a trace of its own. `links` are other contexts this work
    also answers to.
    """
    if _is_off() and (parent is None or not ("traceparent" in parent or _is_inside_a_trace())):
        yield Span(trace.INVALID_SPAN, traceparent())
        return
    given = None if parent is None else propagate.extract(dict(parent), context=context.Context())
    linked = [trace.Link(found) for found in map(_span_context, links) if found.is_valid]
    with _TRACER.start_as_current_span(
        name,
        context=given,
        kind=kind.value,
        links=linked,
        attributes={f"slicewire.{key}": value for key, value in attributes.items()},
    ) as inner:
        yield Span(inner)


def _span_context(headers: Mapping[str, str]) -> trace.SpanContext:
    return trace.get_current_span(
        propagate.extract(dict(headers), context=context.Context())
    ).get_span_context()


@contextmanager
def carried(headers: Mapping[str, str]) -> Iterator[None]:
    """What is told inside belongs to the trace in these headers, without a span of its own."""
    if not headers.get("traceparent") and not _is_inside_a_trace():
        yield
        return
    token = context.attach(propagate.extract(dict(headers), context=context.Context()))
    try:
        yield
    finally:
        context.detach(token)


def headers() -> dict[str, str]:
    """The current trace context, as headers: empty when nothing is traced."""
    if not _is_inside_a_trace():
        return {}
    found: dict[str, str] = {}
    propagate.inject(found)
    return found


def traceparent() -> TraceParent:
    """The current trace context as one word, for a fact that is read much later."""
    return TraceParent(headers().get("traceparent", ""))
