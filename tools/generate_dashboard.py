"""The Grafana dashboard, out of what each panel asks: where it lies, and as Grafana wants it written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dashboard_rows import ROWS, Panel, Row

_WIDTH, _HEIGHT = 8, 7
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> str:
    document = {
        "uid": "slicewire",
        "title": "Slicewire",
        "tags": ["slicewire", "gpu", "dra"],
        "editable": True,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": list(_placed(ROWS)),
    }
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n"


def _placed(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Three panels beside each other, under the title of their row."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, top, 24, 1),
        }
        top += 1
        for at, panel in enumerate(row.panels):
            number += 1
            place = _place(at % 3 * _WIDTH, top + at // 3 * _HEIGHT, _WIDTH, _HEIGHT)
            yield _panel(number, panel, place)
        top += -(-len(row.panels) // 3) * _HEIGHT


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": name, "datasource": _SOURCE}
        for at, (expression, name) in enumerate(panel.asks)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
