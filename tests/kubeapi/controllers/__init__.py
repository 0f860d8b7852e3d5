"""What a cluster does around claims, in miniature: controllers made of steps, each about one object.

A step does what is missing and nothing twice, so it may run at any time; all run after every change. One
that is refused is told in the log, and the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kubeapi.controllers.claims import CLAIM_STEPS
from tests.kubeapi.controllers.garbage import GARBAGE_STEPS
from tests.kubeapi.controllers.objects import Step
from tests.kubeapi.controllers.scheduler import KUBELET_STEPS, SCHEDULER_STEPS
from tests.kubeapi.feed import Feed
from tests.kubeapi.statuses import Refused
from tests.kubeapi.store import Store, target_of

Steps = tuple[Step, ...]

ALL: Steps = (*CLAIM_STEPS, *GARBAGE_STEPS, *SCHEDULER_STEPS, *KUBELET_STEPS)
"""Leave out what something else in the test or demo plays."""

log = logging.getLogger(__name__)


def step_until_still(store: Store, steps: Steps = ALL) -> None:
    """Run the steps until none of them changes anything any more."""
    before = None
    while before != store.history.revision:
        before = store.history.revision
        for step in steps:
            _take_everywhere(store, step)


def _take_everywhere(store: Store, step: Step) -> None:
    for stored in store.all(step.kind):
        try:
            step.act(store, stored)
        except Refused as refused:
            target = target_of(step.kind, stored)
            log.warning("%s: %s %s: %s", step.act.__name__, step.kind.kind, target.name, refused)


async def run_controllers(store: Store, steps: Steps = ALL) -> None:
    """Keep the cluster in order until cancelled."""
    with Feed(store.history) as feed:
        while True:
            step_until_still(store, steps)
            await feed.take()


@asynccontextmanager
async def running_controllers(store: Store, steps: Steps = ALL) -> AsyncIterator[None]:
    """Keep the cluster in order while the block runs."""
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(run_controllers(store, steps))
        try:
            yield
        finally:
            keeping.cancel()
