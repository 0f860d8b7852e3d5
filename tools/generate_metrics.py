"""docs/metrics.md out of what the parts declare. Refuses a name that two of them measure."""

from __future__ import annotations

from collections.abc import Iterator

from slicewire.allocator.metrics import PART as ALLOCATOR
from slicewire.common import vitals
from slicewire.common.metrics import Histogram, Instrument, Label, Part
from slicewire.discovery.metrics import PART as DISCOVERY
from slicewire.node_prep.metrics import PART as NODE_PREP
from slicewire.publisher.metrics import PART as PUBLISHER

PARTS: tuple[Part, ...] = (Part("all parts", vitals.ALL), DISCOVERY, ALLOCATOR, NODE_PREP, PUBLISHER)
_HEAD = """\
# Metrics

Generated from the `metrics.py` of each part and `vitals.py` of all by `make generate`: do not edit.

`/metrics` on the port of `SLICEWIRE_HEALTH_PORT`, in Prometheus' text format or OpenMetrics, whichever is
asked for. Each series of ours has the label `part` beside those below; names that begin with `nvidia_dra_`
are those of NVIDIA's driver, with its types and labels. The `process_…` metrics of any Prometheus client are
there too. A label that has a list of values has no others; what has no such list is bounded by what the table
says, never by the number of claims. How to look at them, and what wakes whom:
[operations](operations.md#metrics).
"""


def page() -> str:
    names = [instrument.metric.name for part in PARTS for instrument in part.instruments]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"measured by two parts: {', '.join(sorted(twice))}"
    return "\n".join((_HEAD, *(_section(part) for part in PARTS)))


def _section(part: Part) -> str:
    rows = "\n".join(map(_row, part.instruments))
    return f"## {part.name}\n\n| Name | Type | Labels | What it says |\n| --- | --- | --- | --- |\n{rows}\n"


def _row(instrument: Instrument) -> str:
    metric = instrument.metric
    labels = "<br>".join(map(_label, metric.labels))
    return f"| `{metric.name}` | {metric.kind} | {labels} | {'. '.join(_said(instrument))} |"


def _said(instrument: Instrument) -> Iterator[str]:
    yield instrument.metric.help
    if isinstance(instrument, Histogram):
        *bounds, _ = instrument.bounds
        yield f"In seconds, {len(bounds)} buckets from {bounds[0]:g} to {bounds[-1]:g}"


def _label(label: Label) -> str:
    values = ", ".join(f"`{value}`" for value in label.values)
    return f"`{label.name}`: {'; '.join(filter(None, (values, label.says)))}"
