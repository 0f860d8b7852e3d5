"""The time now, as Kubernetes keeps it."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """In whole seconds, as of `metav1.Time`."""
    return datetime.now(UTC).replace(microsecond=0)


def micro_time() -> str:
    """As `metav1.MicroTime` is written."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
