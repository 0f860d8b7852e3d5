"""Processes that prepared claims need are started again when they end by themselves.

It looks every second while there are any: what ended belongs to nobody who could be told at once.
"""

from __future__ import annotations

from slicewire.common.logs import Log
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep

_LOOK_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_log = Log("node-prep")


class Supervision:
    def __init__(self, node_prep: NodePrep, hearing: Hearing, preparation: Preparation) -> None:
        self._node_prep = node_prep
        self._hearing = hearing
        self._preparation = preparation

    async def run(self) -> None:
        """One that cannot be started again is tried less and less often."""
        seen, pause = 0, _LOOK_SECONDS
        while True:
            seen = await self._hearing.next_changes(seen, pause if self._preparation.has_processes else None)
            all_run = await self._restarted()
            pause = _LOOK_SECONDS if all_run else min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _restarted(self) -> bool:
        """As the claim is prepared again: what is there stays, what ended is started."""
        answers = []
        for entry, step in await self._preparation.ended():
            _log.warning("ended by itself, starting it again", claim=entry.plan.claim, step=step.what)
            answers.append(await self._node_prep.prepare(entry.plan.claim, entry.asked_by, {}))
        return not any(isinstance(answer, PrepareRefusal) for answer in answers)
