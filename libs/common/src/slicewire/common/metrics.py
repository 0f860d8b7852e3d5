"""The door to Prometheus: what is measured, declared once as values, and shown to whoever looks.

Measuring is adding to a number in this process. The library is imported by the first look and only writes
the text, so that a part nobody looks at pays nothing for it. Refuses labels without a bound: a label that
has a list of values has no others, and what is known by its name alone (a claim, a trace) is no label.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import accumulate, product
from math import prod
from typing import Any

import msgspec

OTHER = "other"
"""In place of a value that is not in a label's list."""
Values = tuple[str, ...]
"""One value for each label, in their order."""
Sample = tuple[Values, float]
QUICK = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bounds in seconds, for what should take milliseconds."""
_FEW = 8
"""So many combinations of labels are shown before there is anything: each is as many series as buckets."""
SLOW = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Bounds in seconds, for what waits for hardware."""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Label(msgspec.Struct, frozen=True):
    """`values` is all it may be; where it is empty, `says` tells what bounds it."""

    name: str
    values: tuple[str, ...] = ()
    says: str = ""


class Metric(msgspec.Struct, frozen=True):
    """What is measured, as the catalogue and every look have it."""

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    unit: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)


class Counter:
    """Only ever more, by the values of its labels. May be added to in any thread.

    Where all of these are listed it is there from the start, at 0: else Prometheus would not see the first
    one as one more.
    """

    def __init__(self, name: str, help: str, *labels: Label, unit: str = "") -> None:  # noqa: A002 - Prometheus' word
        self.metric = Metric(name, Kind.COUNTER, help, labels, unit)
        self._lock = threading.Lock()
        every = product(*(label.values for label in labels))
        self._values: dict[Values, float] = dict.fromkeys(every, 0)

    def add(self, *values: str, by: float = 1) -> None:
        if values not in self._values:
            values = bounded(self.metric, values)
        with self._lock:
            self._values[values] = self._values.get(values, 0) + by

    def put(self, number: float, *values: str) -> None:
        """For gauges, and for tests."""
        with self._lock:
            self._values[bounded(self.metric, values)] = number

    def value(self, *values: str) -> float:
        return self._values.get(values, 0)

    def samples(self) -> list[Sample]:
        return list(self._values.items())


class Gauge:
    """What is so now: counted up and down, or read from whoever knows it when somebody looks.

    Several may know it of different things at once (many nodes in one process); `together` says what it
    is where they speak of the same. `otherwise` is said while nobody knows it.
    """

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 - Prometheus' word
        *labels: Label,
        unit: str = "",
        together: Callable[[Sequence[float]], float] = math.fsum,
        otherwise: float | None = None,
    ) -> None:
        self.metric = Metric(name, Kind.GAUGE, help, labels, unit)
        self._counted = Counter(name, help, *(Label(label.name) for label in labels))
        self._together = together
        self._otherwise = otherwise
        self._readings: tuple[Callable[[], Iterable[Sample]], ...] = ()

    def add(self, *values: str, by: float = 1) -> None:
        self._counted.add(*values, by=by)

    def put(self, number: float, *values: str) -> None:
        """It is this now."""
        self._counted.put(number, *values)

    @contextmanager
    def counting(self, *values: str) -> Iterator[None]:
        """One more while it is open."""
        self.add(*values)
        try:
            yield
        finally:
            self.add(*values, by=-1)

    @contextmanager
    def shown(self, read: Callable[[], Iterable[Sample]]) -> Iterator[None]:
        """Read it there while open. `read` is called in another thread: it looks, and changes nothing."""
        self._readings = (*self._readings, read)
        try:
            yield
        finally:
            self._readings = tuple(each for each in self._readings if each is not read)

    def samples(self) -> list[Sample]:
        found: dict[Values, list[float]] = {}
        for values, number in (*self._counted_samples(), *self._read()):
            found.setdefault(bounded(self.metric, values), []).append(number)
        if not found and self._otherwise is not None:
            return [((), self._otherwise)]
        return [(values, self._together(numbers)) for values, numbers in found.items()]

    def _counted_samples(self) -> list[Sample]:
        """A gauge without labels that is only read has nothing counted."""
        return [sample for sample in self._counted.samples() if self.metric.labels or sample[1]]

    def _read(self) -> Iterator[Sample]:
        for read in self._readings:
            yield from read()


class Histogram:
    """How often something took how long, by the values of its labels. There from the start, as a counter is,
    where that is few series."""

    def __init__(self, name: str, help: str, *labels: Label, bounds: Sequence[float] = QUICK) -> None:  # noqa: A002
        self.metric = Metric(name, Kind.HISTOGRAM, help, labels, "seconds")
        self.bounds = (*bounds, math.inf)
        self._lock = threading.Lock()
        self._counts: dict[Values, tuple[list[int], list[float]]] = {}
        if prod(len(label.values) for label in labels) <= _FEW:
            for values in product(*(label.values for label in labels)):
                self.expect(*values)

    def observe(self, seconds: float, *values: str) -> None:
        if values not in self._counts:
            values = bounded(self.metric, values)
        with self._lock:
            counts, total = self._counts.setdefault(values, ([0] * len(self.bounds), [0.0]))
            counts[bisect_left(self.bounds, seconds)] += 1
            total[0] += seconds

    def expect(self, *values: str) -> None:
        """Shown with nothing in it, before there is anything."""
        with self._lock:
            self._counts.setdefault(bounded(self.metric, values), ([0] * len(self.bounds), [0.0]))

    @contextmanager
    def timing(self, *values: str) -> Iterator[None]:
        """However it ends."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.observe(time.monotonic() - begun, *values)

    def count(self, *values: str) -> int:
        return sum(self._counts[values][0]) if values in self._counts else 0

    def series(self) -> list[tuple[Values, list[int], float]]:
        """How many were at most each bound, and all of them together."""
        with self._lock:
            return [(values, list(accumulate(n)), total[0]) for values, (n, total) in self._counts.items()]


Instrument = Counter | Gauge | Histogram


class Part(msgspec.Struct, frozen=True):
    """What one part measures beside what all do."""

    name: str
    instruments: tuple[Instrument, ...] = ()


def bounded(metric: Metric, values: Values) -> Values:
    """`other` for what is not in a label's list."""
    assert len(values) == len(metric.labels), f"{metric.name} has {metric.label_names}, not {values}"
    return tuple(
        value if not label.values or value in label.values else OTHER
        for value, label in zip(values, metric.labels, strict=True)
    )


def exposed(
    instruments: Iterable[Instrument], always: Mapping[str, str], accept: str = ""
) -> tuple[bytes, str]:
    """All of them as text, and its content type: OpenMetrics for those who `accept` it, the oldest format
    for those whose wish cannot be read.

    `always` is on every series of ours; other makers' names stay as they are known.
    """
    # Costs a start 35 ms and an agent 3.4 MiB: only where somebody looks.
    from prometheus_client import ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    from prometheus_client.registry import CollectorRegistry  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Collector(tuple(instruments), always))
    try:
        encode, content_type = choose_encoder(accept)
    except (ValueError, LookupError, TypeError, AttributeError):  # of a version that is no number
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Collector:
    def __init__(self, instruments: Sequence[Instrument], always: Mapping[str, str]) -> None:
        self._instruments = instruments
        self._always = always

    def collect(self) -> Iterator[Any]:
        for instrument in self._instruments:
            is_ours = instrument.metric.name.startswith("slicewire_")
            yield _family(instrument, self._always if is_ours else {})


def _family(instrument: Instrument, always: Mapping[str, str]) -> Any:
    from prometheus_client import core  # noqa: PLC0415

    metric = instrument.metric
    names = (*always, *metric.label_names)
    kinds: dict[Kind, Any] = {
        Kind.COUNTER: core.CounterMetricFamily,
        Kind.GAUGE: core.GaugeMetricFamily,
        Kind.HISTOGRAM: core.HistogramMetricFamily,
    }
    family = kinds[metric.kind](metric.name, metric.help, labels=names)
    if isinstance(instrument, Histogram):
        for values, counts, total in instrument.series():
            bounds = ["+Inf" if math.isinf(bound) else str(bound) for bound in instrument.bounds]
            family.add_metric((*always.values(), *values), list(zip(bounds, counts, strict=True)), total)
    else:
        for values, number in instrument.samples():
            family.add_metric((*always.values(), *values), number)
    return family
