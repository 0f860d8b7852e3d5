"""The steps of one claim, forwards and back, each written down before it is begun. All of it blocks: call
it in a thread.

Killed between any two lines of this, we find in the journal what may have been done: a step that is
begun is looked for, one that is untouched was not done by us. It knows no kind of step.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from typing import Any, ParamSpec, TypeVar

from slicewire.common import telemetry
from slicewire.common.model import ClaimUID
from slicewire.common.nvml.refusal import NvmlRefused
from slicewire.node_prep import metrics
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import BEGUN, UNTOUCHED, Entry, Progress, Stage
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import Notes, Step
from slicewire.node_prep.executors.gpus import refusal
from slicewire.node_prep.executors.port import Executor, Executors, KeepsProcesses
from slicewire.node_prep.files import DiskFault, Kept
from slicewire.node_prep.journal import Journal

P = ParamSpec("P")
T = TypeVar("T")


class Saga:
    """Whoever calls holds the claim and the GPUs of its devices."""

    def __init__(self, journal: Journal, executors: Executors) -> None:
        self._journal = journal
        self._executors = executors

    def forwards(self, uid: ClaimUID) -> PrepareRefusal | None:
        """What is planned and not there is made. Stops where a step is refused. Raises `DiskFault`."""
        for index, step in enumerate(self._entry(uid).plan.steps):
            refused = self._make_true(uid, index, step)
            if refused is not None:
                return refused
        return None

    def backwards(self, uid: ClaimUID) -> PrepareRefusal | None:
        """What was begun is taken back, the last first, and that it is taken back stands on the disk before.
        Stops where that fails. Raises `DiskFault`."""
        entry, is_known = self._entry(uid), False
        for index, step in reversed(tuple(enumerate(entry.plan.steps))):
            if self._is_untouched(uid, index):
                continue
            if self._is_ours_alone(uid, step):
                if not (is_known or step.UNDONE_FREELY):
                    self._journal.flush(Kept.OLD_OR_NEW)
                    is_known = True
                refused = self._undo(uid, index, step)
                if refused is not None:
                    self._journal.flush(Kept.OLD_OR_NEW)
                    return refused
            self._note(uid, index, UNTOUCHED)
        return None

    def is_still_there(self, entry: Entry, step: Step) -> bool:
        """False where it was done and is not there now; what cannot be seen now is not known to be gone."""
        progress = entry.at(entry.plan.steps.index(step))
        if progress.stage is not Stage.DONE:
            return True
        return _asked(self._executor(step).found, step, entry.plan, progress.notes) is not False

    def end_orphans(self) -> PrepareRefusal | None:
        """What runs for no step of any claim."""
        known = tuple(
            step for entry in self._journal.checkpoint.entries.values() for step in entry.plan.steps
        )
        for executor in self._executors.values():
            if isinstance(executor, KeepsProcesses):
                refused = _asked(executor.end_all_but, known)
                if refused is not None:
                    return refused
        return None

    def _make_true(self, uid: ClaimUID, index: int, step: Step) -> PrepareRefusal | None:
        entry, executor = self._entry(uid), self._executor(step)
        known = self._known(uid, index, step)
        if known is not None:
            found = _asked(executor.found, step, entry.plan, known)
            if isinstance(found, PrepareRefusal):
                return found
            if found:
                self._note(uid, index, _done(known))
                return None
            self._note(uid, index, UNTOUCHED)
        if self._is_untouched(uid, index):
            ready = _asked(executor.ready, step, entry.plan)
            if isinstance(ready, PrepareRefusal):
                return ready
            if ready is not None:
                self._note(uid, index, _done(ready))
                return None
            self._record_begun(uid, index)
        return self._do(uid, index, step)

    def _known(self, uid: ClaimUID, index: int, step: Step) -> Notes | None:
        """What we, or those who share the device, know of a step that was done."""
        progress = self._entry(uid).at(index)
        if progress.stage is Stage.DONE:
            return progress.notes
        return self._journal.checkpoint.notes_of_others(step, but=uid)

    def _do(self, uid: ClaimUID, index: int, step: Step) -> PrepareRefusal | None:
        with telemetry.span(_in_words(step), step=step.what) as span:
            plan, executor = self._entry(uid).plan, self._executor(step)
            made = metrics.stepped(step, "do", lambda: _asked(executor.do, step, plan))
            if isinstance(made, PrepareRefusal):
                span.failed(made.reason)
                self._note(uid, index, UNTOUCHED)
                return made
            self._note(uid, index, _done(made))
            return None

    def _is_untouched(self, uid: ClaimUID, index: int) -> bool:
        return self._entry(uid).at(index).stage is Stage.UNTOUCHED

    def _is_ours_alone(self, uid: ClaimUID, step: Step) -> bool:
        return self._journal.checkpoint.notes_of_others(step, but=uid) is None

    def _undo(self, uid: ClaimUID, index: int, step: Step) -> PrepareRefusal | None:
        entry = self._entry(uid)
        with telemetry.span(f"undo {_in_words(step)}", step=step.what) as span:
            executor, notes = self._executor(step), entry.at(index).notes
            refused = metrics.stepped(step, "undo", lambda: _asked(executor.undo, step, entry.plan, notes))
            if refused is not None:
                span.failed(refused.reason)
            return refused

    def _entry(self, uid: ClaimUID) -> Entry:
        return self._journal.checkpoint.entries[uid]

    def _executor(self, step: Step) -> Executor[Any]:
        return self._executors[type(step)]

    def _note(self, uid: ClaimUID, index: int, progress: Progress) -> None:
        if self._entry(uid).at(index) != progress:
            self._journal.note(lambda now: now.with_progress(uid, index, progress))

    def _record_begun(self, uid: ClaimUID, index: int) -> None:
        """The files that follow a file too: they are not worth a write each. A power cut that takes what is
        written takes what was done (ADR 13), unless that outlasts it under a name that nobody else knows."""
        steps = self._entry(uid).plan.steps
        files = takewhile(lambda one: steps[one].IS_FILE, range(index, len(steps)))
        together = {index, *files}

        def begun(now: Checkpoint) -> Checkpoint:
            for one in together:
                now = now.with_progress(uid, one, BEGUN)
            return now

        outlasts = any(steps[one].SURVIVES_REBOOT and not steps[one].IS_FILE for one in together)
        with telemetry.span("checkpoint", claim_uid=uid):
            self._journal.record(uid, begun, Kept.THROUGH_A_POWER_CUT if outlasts else Kept.OLD_OR_NEW)


def _done(notes: Notes) -> Progress:
    return Progress(stage=Stage.DONE, notes=notes)


def _asked(call: Callable[P, T | PrepareRefusal], *args: P.args, **kwargs: P.kwargs) -> T | PrepareRefusal:
    try:
        return call(*args, **kwargs)
    except NvmlRefused as refused:
        return refusal(refused)
    except DiskFault as fault:
        return PrepareRefusal(Why.DISK, str(fault))


def _in_words(step: Step) -> str:
    return _as_people_say(str(step.__struct_config__.tag))


@cache
def _as_people_say(tag: str) -> str:
    """`turnMigModeOff` as people say it, for the trace."""
    return re.sub("[A-Z]", lambda letter: f" {letter[0].lower()}", tag)
