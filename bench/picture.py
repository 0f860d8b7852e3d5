"""A log-log picture of a few curves, as SVG text: axes, a grid, a legend, and nothing to install."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

_WIDTH, _HEIGHT = 860, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 24, 52, 190
_STYLE = 'role="img" font-family="sans-serif" font-size="13" fill="#222222"'
_TICKS_X = (100, 200, 500, 1000, 2000, 5000)


class Curve(msgspec.Struct, frozen=True):
    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    """(nodes, seconds)."""
    dashed: bool = False


class _Scale(msgspec.Struct, frozen=True):
    """Where a value lies on an axis that runs from `low` to `high` between two pixels."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)


def drawn(title: str, curves: Sequence[Curve]) -> str:
    """White behind everything, so that it can be read on a dark page too."""
    across = _Scale(90, 5600, _LEFT, _WIDTH - _RIGHT)
    seconds = [second for curve in curves for _, second in curve.points]
    decades = (math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds))))
    up = _Scale(10.0 ** decades[0], 10.0 ** decades[1], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_STYLE}>',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _label(_WIDTH / 2, 28, title, "middle", 17),
        *_grid(across, up, range(decades[0], decades[1] + 1)),
        *(part for curve in curves for part in _line(curve, across, up)),
        *_legend(curves),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _label(x: float, y: float, text: str, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{text}</text>'


def _grid(across: _Scale, up: _Scale, decades: range) -> Iterator[str]:
    for nodes in _TICKS_X:
        x = across.at(nodes)
        yield _rule(x, up.begin, x, up.end)
        yield _label(x, up.begin + 20, f"{nodes:,}", "middle")
    for decade in decades:
        y = up.at(10.0**decade)
        yield _rule(across.begin, y, across.end, y)
        yield _label(across.begin - 10, y + 4, _duration(10.0**decade), "end")
    yield _label((across.begin + across.end) / 2, up.begin + 44, "nodes", "middle")
    middle = (up.begin + up.end) / 2
    yield (
        f'<text x="24" y="{middle:.1f}" text-anchor="middle"'
        f' transform="rotate(-90 24 {middle:.1f})">time for one claim</text>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale * 0.999:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds / 1e-6:.0f} µs"


def _line(curve: Curve, across: _Scale, up: _Scale) -> Iterator[str]:
    places = [(across.at(nodes), up.at(second)) for nodes, second in curve.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="7 5"' if curve.dashed else ""
    yield f'<polyline points="{path}" fill="none" stroke="{curve.colour}" stroke-width="2.5"{dashes}/>'
    for (x, y), (nodes, second) in zip(places, curve.points, strict=True):
        said = f"{curve.name}: {nodes:,} nodes, {second * 1e6:,.0f} µs"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{curve.colour}"><title>{said}</title></circle>'


def _legend(curves: Sequence[Curve]) -> Iterator[str]:
    for place, curve in enumerate(curves):
        y = _HEIGHT - _BOTTOM + 72 + place * 22
        dashes = ' stroke-dasharray="7 5"' if curve.dashed else ""
        yield (
            f'<line x1="{_LEFT}" y1="{y}" x2="{_LEFT + 34}" y2="{y}" stroke="{curve.colour}"'
            f' stroke-width="2.5"{dashes}/>'
        )
        yield _label(_LEFT + 44, y + 4, curve.name)
