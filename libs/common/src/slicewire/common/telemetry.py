"""The door to OpenTelemetry: spans, and trace context carried in headers.

Off (a no-op that still passes trace context on) unless there is an endpoint; then spans go out over
OTLP/HTTP, in batches, from a thread of their own. Whoever begins a trace decides by its id whether it is
kept; everybody after does as they are told, so that a trace is whole or absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from urllib.parse import quote

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from slicewire.common.model import TraceParent

Attribute = str | int | bool | Sequence[str]
_EXPORT_EVERY_MILLISECONDS = 500
_MOST_WAITING = 16_384
"""Spans that may wait to be sent; more are dropped, so that a backend that is away costs no memory."""
_CARRIED = "slicewire."
_BETWEEN = ","
"""Two values of what is carried under one name."""
_OF_A_TRACE = ("traceparent", "tracestate", "baggage")
_MOST_LINKS = 8
_REMEMBERED = 2048
"""Contexts that need not be read again: a claim's own comes with each of its spans."""
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

    @property
    def is_kept(self) -> bool:
        """False: nobody will ever see it, so nothing needs to be looked up for it."""
        return self._inner.is_recording()

    def traceparent(self) -> TraceParent:
        """This span as one word; "" when nothing is traced."""
        if self._passing is not None:
            return self._passing
        found: dict[str, str] = {}
        propagate.inject(found, context=trace.set_span_in_context(self._inner, context.Context()))
        return TraceParent(found.get("traceparent", ""))

    def end(self, at: int | None = None) -> None:
        """For spans of `begin` only. `at` is in nanoseconds since 1970; None: now."""
        self._inner.end(end_time=at)


def _is_off() -> bool:
    return not _EXPORTING


def _is_inside_a_trace() -> bool:
    """Most often there is no context at all, which is quickly seen."""
    return bool(context.get_current()) and trace.get_current_span().get_span_context().is_valid


def begin(
    name: str,
    parent: Mapping[str, str],
    *,
    since: int | None = None,
    links: Sequence[Mapping[str, str]] = (),
    **attributes: Attribute,
) -> Span:
    """A span that is not made current: for steps of many traces done at once. End it yourself.

    `since` (nanoseconds since 1970) is for one that is known only now to be worth a span.
    """
    if _is_off() or _is_dropped(_extracted(parent)):
        return Span(trace.INVALID_SPAN, TraceParent(parent.get("traceparent", "")))
    return Span(
        _TRACER.start_span(
            name,
            context=_extracted(parent),
            links=_links(links),
            start_time=since,
            attributes=_named(attributes),
        )
    )


def _named(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {f"slicewire.{key}": value for key, value in attributes.items()}


def _extracted(headers: Mapping[str, str]) -> context.Context:
    return _read(*(headers.get(name, "") for name in _OF_A_TRACE))


@lru_cache(_REMEMBERED)
def _read(*values: str) -> context.Context:
    given = {name: value for name, value in zip(_OF_A_TRACE, values, strict=True) if value}
    return propagate.extract(given, context=context.Context())


def _is_dropped(given: context.Context | None) -> bool:
    """Of a trace that is not kept: there is nothing to do but to say so to whoever comes next."""
    found = trace.get_current_span(given).get_span_context()
    return found.is_valid and not found.trace_flags.sampled


def _links(headers: Sequence[Mapping[str, str]]) -> list[trace.Link]:
    """Of a commit with hundreds of claims the first few say enough: all of them would be its square."""
    contexts = (trace.get_current_span(_extracted(one)).get_span_context() for one in headers[:_MOST_LINKS])
    return [trace.Link(found) for found in contexts if found.is_valid]


class _Carried(SpanProcessor):
    """What was said with `bearing`, on every span that comes of it and does not know better itself."""

    def on_start(self, span: SdkSpan, parent_context: context.Context | None = None) -> None:
        known = span.attributes or {}
        for name, value in baggage.get_all(parent_context).items():
            if name.startswith(_CARRIED) and name not in known:
                values = str(value).split(_BETWEEN)
                span.set_attribute(name, values if len(values) > 1 else values[0])

    def on_end(self, span: ReadableSpan) -> None:
        """It has been said already."""


def _provider(part: str, instance: str, endpoint: str, sample: float) -> TracerProvider:
    # Costs a start 30 ms and an agent 5 MB: only where spans go somewhere.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"slicewire-{part}", "service.instance.id": instance}),
        sampler=ParentBased(TraceIdRatioBased(sample)),
    )
    provider.add_span_processor(_Carried())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=2)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=_MOST_WAITING,
            schedule_delay_millis=_EXPORT_EVERY_MILLISECONDS,
            export_timeout_millis=2000,
        )
    )
    return provider


@contextmanager
def exporting(part: str, instance: str, endpoint: str, sample: float = 1.0) -> Iterator[None]:
    """Export spans to this OTLP endpoint while open; the rest is sent on the way out. "" exports nothing.

    Of the traces that begin here, `sample` are kept: 0 none, 1 all.
    """
    if not endpoint:
        yield
        return
    provider = _provider(part, instance, endpoint, sample)
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
    since: int | None = None,
    **attributes: Attribute,
) -> Iterator[Span]:
    """A span under `parent` (headers with a `traceparent`), or under the current one when None.

    A parent without trace context starts a trace of its own. `links` are other contexts this work
    also answers to. `since` (nanoseconds since 1970): it began before anybody knew whose it is.
    """
    if _is_off() and (parent is None or not ("traceparent" in parent or _is_inside_a_trace())):
        yield Span(trace.INVALID_SPAN, traceparent())
        return
    given = None if parent is None else _extracted(parent)
    if _is_dropped(given):
        with _within(given):
            yield Span(trace.INVALID_SPAN, traceparent())
        return
    with (
        _within(given),
        _TRACER.start_as_current_span(
            name,
            context=given,
            kind=kind.value,
            links=_links(links),
            start_time=since,
            attributes=_named(attributes),
        ) as inner,
    ):
        yield Span(inner)


@contextmanager
def _within(given: context.Context | None) -> Iterator[None]:
    """A span that is made current is current in what there was: what was said with `bearing` goes along."""
    if given is None:
        yield
        return
    token = context.attach(given)
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def no_span(_name: str, **_attributes: object) -> Iterator[Span]:
    """In place of `span`, for what is not worth one."""
    yield Span(trace.INVALID_SPAN, TraceParent(""))


def bearing(headers: Mapping[str, str], **known: str | Sequence[str]) -> dict[str, str]:
    """A context that says so much of itself on every span that comes of it, in whatever part.

    `pod_uid=…` becomes the attribute `slicewire.pod_uid`: of several a list, of none nothing. Travels as W3C
    baggage. None of them may have a comma.
    """
    values = {name: one if isinstance(one, str) else _BETWEEN.join(one) for name, one in known.items()}
    said = ",".join(f"{_CARRIED}{name}={quote(value)}" for name, value in values.items() if value)
    return {**headers, "baggage": said} if said else dict(headers)


def borne(headers: Mapping[str, str], name: str) -> tuple[str, ...]:
    """What was said with `bearing` under this name."""
    if headers.get("baggage") is None:  # `in` would read all of them
        return ()
    found = baggage.get_baggage(_CARRIED + name, _extracted(headers))
    return tuple(str(found).split(_BETWEEN)) if found else ()


@contextmanager
def carried(headers: Mapping[str, str]) -> Iterator[None]:
    """What is told inside belongs to the trace in these headers, without a span of its own."""
    if not headers.get("traceparent") and not _is_inside_a_trace():
        yield
        return
    with _within(_extracted(headers)):
        yield


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
