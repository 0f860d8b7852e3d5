"""The alert rules as Prometheus gets them, and Prometheus itself where it is installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts import binary

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/k8s/components/monitoring"
_NAME = re.compile(r"\b(?:slicewire|nvidia_dra)_[a-z_]+\b")
_DURATION = re.compile(r"\$__rate_interval")


@cache
def groups() -> tuple[dict[str, Any], ...]:
    """As the PrometheusRule has them."""
    return tuple(yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"])


def alerts() -> tuple[dict[str, Any], ...]:
    return tuple(rule for group in groups() for rule in group["rules"])


def alert_names() -> tuple[str, ...]:
    return tuple(alert["alert"] for alert in alerts())


def metrics_in(expression: str) -> set[str]:
    """By the name each is declared under: a histogram is asked for by its buckets."""
    return {re.sub(r"_bucket$|_count$|_sum$", "", name) for name in _NAME.findall(expression)}


def asked(expression: str) -> str:
    """As Grafana asks: with a duration in the place of its variable."""
    return _DURATION.sub("1m", expression)


def program(name: str) -> str:
    """`prometheus` or `promtool`; without it the test is skipped."""
    found = binary.found(name)
    if found is None:
        pytest.skip(f"NO {name.upper()}: `python -m tests.alerts build` unpacks Debian's, or install it")
    return found


def promtool(*arguments: str) -> str:
    """What it says, where it is content."""
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_annotations() -> Iterator[dict[str, Any]]:
    """promtool compares annotations word for word; here it is about what fires."""
    for group in groups():
        rules = [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]]
        yield {**group, "rules": rules}
