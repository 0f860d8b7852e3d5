"""What alerts and dashboard ask for is measured, and what wakes somebody says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from slicewire.allocator.metrics import PART as ALLOCATOR
from slicewire.common import vitals
from slicewire.common.metrics import Histogram, Kind
from slicewire.discovery.metrics import PART as DISCOVERY
from slicewire.node_prep.metrics import PART as NODE_PREP
from slicewire.publisher.metrics import PART as PUBLISHER
from tests.alerts.rules import MONITORING, ROOT, alert_names, alerts, asked, metrics_in, promtool

MEASURED = {
    instrument.metric.name: instrument
    for part in (DISCOVERY, ALLOCATOR, NODE_PREP, PUBLISHER)
    for instrument in (*vitals.ALL, *part.instruments)
}
OPERATIONS = (ROOT / "docs/operations.md").read_text()
NVIDIA = {
    "nvidia_dra_requests_total": (Kind.COUNTER, ("driver", "operation")),
    "nvidia_dra_request_duration_seconds": (Kind.HISTOGRAM, ("driver", "operation")),
    "nvidia_dra_requests_inflight": (Kind.GAUGE, ("driver", "operation")),
    "nvidia_dra_prepared_devices": (Kind.GAUGE, ("node", "driver", "device_type")),
    "nvidia_dra_node_prepare_errors_total": (Kind.COUNTER, ("driver", "error_type")),
    "nvidia_dra_node_unprepare_errors_total": (Kind.COUNTER, ("driver", "error_type")),
}
"""As NVIDIA's driver 0.4 has them."""


def panels() -> Iterator[tuple[str, str]]:
    """Title and expression."""
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("title", "expression"), tuple(panels()))
def test_every_panel_asks_for_what_is_measured(title: str, expression: str) -> None:
    assert metrics_in(expression) or "process_" in expression
    assert metrics_in(expression) <= MEASURED.keys()
    assert_labels_exist(expression)


@pytest.mark.parametrize("alert", alerts(), ids=alert_names())
def test_every_alert_asks_for_what_is_measured(alert: dict[str, str]) -> None:
    assert metrics_in(alert["expr"]) or alert["expr"].startswith("up{")
    assert metrics_in(alert["expr"]) <= MEASURED.keys()
    assert_labels_exist(alert["expr"])


def assert_labels_exist(expression: str) -> None:
    """Of each selector, and of what is summed by: a label that is misspelt matches nothing, quietly."""
    names = {name for metric in metrics_in(expression) for name in MEASURED[metric].metric.label_names}
    known = names | {"part", "instance", "job", "le"}
    by = re.findall(r"\bby \(([^)]*)\)", expression)
    given = {word.strip() for words in by for word in words.split(",")}
    for selector in re.findall(r"\{([^}]*)\}", expression):
        given |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
    assert given <= known


@pytest.mark.parametrize(("metric", "wanted"), tuple(NVIDIA.items()))
def test_dashboards_made_for_nvidias_driver_find_what_they_ask_for(
    metric: str, wanted: tuple[Kind, tuple[str, ...]]
) -> None:
    found = MEASURED[metric]
    assert (found.metric.kind, found.metric.label_names) == wanted


def test_the_buckets_are_those_of_nvidias_driver() -> None:
    found = MEASURED["nvidia_dra_request_duration_seconds"]
    assert isinstance(found, Histogram)
    assert found.bounds[:-1] == (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    for alert in alerts():
        runbook = alert["annotations"]["runbook_url"]
        assert runbook == f"docs/operations.md#{alert['alert'].lower()}"
        assert f"\n#### {alert['alert']}\n" in OPERATIONS
        assert alert["labels"]["severity"] in {"critical", "warning"}
    sections = re.findall(r"(?m)^#### (Slicewire\w+)$", OPERATIONS)
    assert sections == sorted(sections, key=alert_names().index), "in the order of the rules, and no other"


def test_no_metric_is_named_by_more_than_prometheus_allows() -> None:
    for name, instrument in MEASURED.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert (instrument.metric.kind is Kind.COUNTER) is name.endswith("_total")
        assert instrument.metric.kind is not Kind.HISTOGRAM or name.endswith("_seconds")


@pytest.mark.slow
def test_prometheus_can_read_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{at}", "expr": asked(each)} for at, (_, each) in enumerate(panels())]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_every_alert_is_fired_by_a_real_part_too() -> None:
    sources = "".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_fired*.py")))
    calls = re.findall(r"until_firing\(([^)]*)\)", sources)
    assert {name for call in calls for name in re.findall(r"Slicewire\w+", call)} == set(alert_names())
