"""What node-prep was asked and what came of it, under its own names and those of NVIDIA's driver."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.metrics import Counter
from slicewire.node_prep import metrics
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import TurnMigModeOff

DRIVER = "gpu.example.com"
STEP = TurnMigModeOff(gpu="GPU-0")


async def coming_to(answer: Any) -> Any:
    return answer


@pytest.mark.parametrize(
    ("operation", "errors", "kind"),
    [
        ("prepare", metrics.NVIDIA_PREPARE_ERRORS, "prepare_devices"),
        ("unprepare", metrics.NVIDIA_UNPREPARE_ERRORS, "unprepare_devices"),
    ],
)
async def test_what_succeeds_is_a_request_and_what_fails_an_error(
    operation: str, errors: Counter, kind: str
) -> None:
    requests, took = metrics.NVIDIA_REQUESTS, metrics.NVIDIA_SECONDS
    before = requests.value(DRIVER, operation), errors.value(DRIVER, kind), took.count(DRIVER, operation)
    refusal = PrepareRefusal(Why.DRIVER, "no driver")
    assert await metrics.answered(DRIVER, operation, coming_to("made")) == "made"
    assert await metrics.answered(DRIVER, operation, coming_to(refusal)) is refusal
    after = requests.value(DRIVER, operation), errors.value(DRIVER, kind), took.count(DRIVER, operation)
    assert after == (before[0] + 1, before[1] + 1, before[2] + 1)


async def test_a_refusal_is_counted_by_its_kind() -> None:
    before = metrics.QUESTIONS.value("prepare", "disk"), metrics.QUESTION_SECONDS.count("prepare", "refused")
    await metrics.answered(DRIVER, "prepare", coming_to(PrepareRefusal(Why.DISK, "full")))
    after = metrics.QUESTIONS.value("prepare", "disk"), metrics.QUESTION_SECONDS.count("prepare", "refused")
    assert after == (before[0] + 1, before[1] + 1)


async def test_what_nobody_asked_for_is_not_counted() -> None:
    before = metrics.QUESTIONS.samples()
    assert await metrics.answered(DRIVER, "", coming_to(None)) is None
    assert metrics.QUESTIONS.samples() == before


async def test_a_request_under_way_is_seen() -> None:
    async def looks() -> float:
        return dict(metrics.NVIDIA_INFLIGHT.samples())[DRIVER, "prepare"]

    assert await metrics.answered(DRIVER, "prepare", looks()) == 1
    assert dict(metrics.NVIDIA_INFLIGHT.samples())[DRIVER, "prepare"] == 0


@pytest.mark.parametrize(
    ("answer", "result"), [(None, "done"), ({}, "done"), (PrepareRefusal(Why.IN_USE, "x"), "refused")]
)
def test_a_step_is_measured_by_its_kind_and_end(answer: Any, result: str) -> None:
    before = metrics.STEP_SECONDS.count("turnMigModeOff", "undo", result)
    assert metrics.stepped(STEP, "undo", lambda: answer) is answer
    assert metrics.STEP_SECONDS.count("turnMigModeOff", "undo", result) == before + 1


def test_every_kind_of_step_and_refusal_has_a_name_in_the_catalogue() -> None:
    steps, _, _ = metrics.STEP_SECONDS.metric.labels
    assert {"writeCdiFile", "createGpuInstance", "startMps", "bindToVfio"} <= set(steps.values)
    _, results = metrics.QUESTIONS.metric.labels
    assert set(results.values) == {"done", *Why}
