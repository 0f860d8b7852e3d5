"""What node-prep measures: claims and how far they are, questions and steps and how they ended.

Six names are those of NVIDIA's driver, with its types and labels, so that dashboards made for it go on
working; what it counts of requests are those that succeeded. Refuses to name a claim or a device in a label.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, Protocol, TypeVar, get_args

from slicewire.common.metrics import QUICK, SLOW, Counter, Gauge, Histogram, Label, Part, Sample
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.node import Node
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import Step

P = ParamSpec("P")
T = TypeVar("T")

OPERATIONS = ("prepare", "unprepare")
_OPERATION = Label("operation", OPERATIONS)
_DRIVER = Label("driver", says="the name of the DRA driver, `gpu.nvidia.com`")
_NODE = Label("node", says="the nodes that this process is of, most often one")
_UP_TO_A_MINUTE = (*QUICK, 30.0, 60.0)
_DOUBLING = tuple(0.05 * 2**power for power in range(9))
_HARDWARE = ("gpu", "mig", "vfio")
_STATES = {State.STARTED: "preparing", State.COMPLETED: "prepared", State.UNDOING: "unpreparing"}
_STEPS = tuple(sorted(str(step.__struct_config__.tag) for step in get_args(Step)))

QUESTIONS = Counter(
    "slicewire_node_prep_requests_total",
    "Claims that somebody wanted prepared or unprepared, by what came of it: done, or why not",
    _OPERATION,
    Label("result", ("done", *map(str, Why))),
)
QUESTION_SECONDS = Histogram(
    "slicewire_node_prep_request_seconds",
    "From the question to its answer, waiting for the ledger, the turn and the GPU included",
    _OPERATION,
    Label("result", ("done", "refused")),
    bounds=_UP_TO_A_MINUTE,
)
STEP_SECONDS = Histogram(
    "slicewire_node_prep_step_seconds",
    "One step of a preparation, or its undoing",
    Label("step", _STEPS),
    Label("direction", ("do", "undo")),
    Label("result", ("done", "refused")),
    bounds=SLOW,
)
CLAIMS = Gauge(
    "slicewire_node_prep_claims",
    "Claims in the checkpoint by how far they are; those that stay unpreparing cannot be undone",
    _NODE,
    Label("state", tuple(_STATES.values())),
)
NVIDIA_REQUESTS = Counter(
    "nvidia_dra_requests_total",
    "Requests to prepare or unprepare a claim that succeeded",
    _DRIVER,
    _OPERATION,
)
NVIDIA_SECONDS = Histogram(
    "nvidia_dra_request_duration_seconds", "How long these took", _DRIVER, _OPERATION, bounds=_DOUBLING
)
NVIDIA_INFLIGHT = Gauge("nvidia_dra_requests_inflight", "Requests under way", _DRIVER, _OPERATION)
NVIDIA_PREPARED = Gauge(
    "nvidia_dra_prepared_devices",
    "Devices of prepared claims by type",
    _NODE,
    _DRIVER,
    Label("device_type", _HARDWARE),
)
NVIDIA_PREPARE_ERRORS = Counter(
    "nvidia_dra_node_prepare_errors_total",
    "Requests to prepare that failed; `prepare_devices` is the one kind of error that is told apart",
    _DRIVER,
    Label("error_type", ("prepare_devices",)),
)
NVIDIA_UNPREPARE_ERRORS = Counter(
    "nvidia_dra_node_unprepare_errors_total",
    "Requests to unprepare that failed; `unprepare_devices` is the one kind of error that is told apart",
    _DRIVER,
    Label("error_type", ("unprepare_devices",)),
)
PART = Part(
    "node-prep",
    (
        QUESTIONS,
        QUESTION_SECONDS,
        STEP_SECONDS,
        CLAIMS,
        NVIDIA_REQUESTS,
        NVIDIA_SECONDS,
        NVIDIA_INFLIGHT,
        NVIDIA_PREPARED,
        NVIDIA_PREPARE_ERRORS,
        NVIDIA_UNPREPARE_ERRORS,
    ),
)
_ERRORS = {
    "prepare": (NVIDIA_PREPARE_ERRORS, "prepare_devices"),
    "unprepare": (NVIDIA_UNPREPARE_ERRORS, "unprepare_devices"),
}


class Preparing(Protocol):
    """Whoever has the checkpoint."""

    @property
    def checkpoint(self) -> Checkpoint: ...


async def answered(driver: str, operation: str, work: Awaitable[T]) -> T:
    """The answer to a question, measured; what nobody asked for has no `operation`."""
    if not operation:
        return await work
    with NVIDIA_INFLIGHT.counting(driver, operation):
        begun = time.monotonic()
        answer = await work
    took = time.monotonic() - begun
    if isinstance(answer, PrepareRefusal):
        QUESTIONS.add(operation, answer.why)
        QUESTION_SECONDS.observe(took, operation, "refused")
        errors, kind = _ERRORS[operation]
        errors.add(driver, kind)
    else:
        QUESTIONS.add(operation, "done")
        QUESTION_SECONDS.observe(took, operation, "done")
        NVIDIA_REQUESTS.add(driver, operation)
        NVIDIA_SECONDS.observe(took, driver, operation)
    return answer


def stepped(step: Step, direction: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a step comes to, measured."""
    begun = time.monotonic()
    done = call(*args, **kwargs)
    result = "refused" if isinstance(done, PrepareRefusal) else "done"
    STEP_SECONDS.observe(time.monotonic() - begun, str(step.__struct_config__.tag), direction, result)
    return done


@asynccontextmanager
async def shown(of: Node, preparing: Preparing) -> AsyncIterator[None]:
    """What this node has prepared, while open. What has not happened yet is 0 from the start."""
    node, driver = of.name, of.driver
    for operation in OPERATIONS:
        NVIDIA_REQUESTS.add(driver, operation, by=0)
        NVIDIA_INFLIGHT.add(driver, operation, by=0)
        NVIDIA_SECONDS.expect(driver, operation)
    with (
        CLAIMS.shown(lambda: _claims(node, preparing.checkpoint)),
        NVIDIA_PREPARED.shown(lambda: _devices(node, driver, preparing.checkpoint)),
    ):
        yield


def _claims(node: str, checkpoint: Checkpoint) -> list[Sample]:
    return [((node, word), len(checkpoint.in_state(state))) for state, word in _STATES.items()]


def _devices(node: str, driver: str, checkpoint: Checkpoint) -> list[Sample]:
    prepared = Tally(
        str(planned.hardware.__struct_config__.tag)
        for entry in checkpoint.in_state(State.COMPLETED)
        for planned in entry.plan.devices
    )
    return [((node, driver, kind), prepared[kind]) for kind in _HARDWARE]
