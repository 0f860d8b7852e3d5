"""The plainest search there is, to hold the real one against: every device, every way, nothing foreseen."""

from __future__ import annotations

from collections.abc import Iterator

from slicewire.allocator.core.attempt import Attempt, Pick, Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.objections import Constrained
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import DeviceID

Answer = tuple[tuple[str, DeviceID], ...]
"""(request, device) in the order in which they were picked."""


class Stop(Exception):
    """A fault was met."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def plainly(question: Question) -> Answer | Fault | None:
    """Only for devices in pools that are whole and sound, and for claims of a few devices."""
    try:
        return next(_Plain(question).serve(0), None)
    except Stop as stop:
        return stop.fault


class _Plain:
    def __init__(self, question: Question) -> None:
        self._attempt = Attempt(question)
        self._devices = question.stock.candidates
        self._requests = question.demand.requests
        self._all = {
            id(alternative): self._everything(alternative)
            for wanted in self._requests
            for alternative in wanted.alternatives
            if alternative.takes_all
        }

    def _everything(self, alternative: Alternative) -> list[Candidate]:
        found = []
        for device in self._devices:
            unwanted = self._attempt.unselectable(alternative, device) or self._attempt.capacity_objection(
                alternative, device
            )
            if isinstance(unwanted, Fault):
                raise Stop(unwanted)
            if unwanted is None:
                found.append(device)
        return found

    def serve(self, request: int) -> Iterator[Answer]:
        if request == len(self._requests):
            yield tuple((pick.alternative.name, pick.candidate.id) for pick in self._attempt.picks)
            return
        for alternative in self._requests[request].alternatives:
            if not alternative.takes_all:
                yield from self._some(request, alternative, alternative.count, 0)
            elif self._all[id(alternative)]:
                yield from self._every(request, alternative, self._all[id(alternative)])

    def _some(self, request: int, alternative: Alternative, missing: int, start: int) -> Iterator[Answer]:
        if not missing:
            yield from self.serve(request + 1)
            return
        for at in range(start, len(self._devices)):
            picked = self._picked(alternative, self._devices[at])
            if isinstance(picked, Pick):
                yield from self._some(request, alternative, missing - 1, at + 1)
                self._attempt.undo(picked)

    def _every(self, request: int, alternative: Alternative, devices: list[Candidate]) -> Iterator[Answer]:
        if not devices:
            yield from self.serve(request + 1)
            return
        match self._picked(alternative, devices[0]):
            case Pick() as pick:
                yield from self._every(request, alternative, devices[1:])
                self._attempt.undo(pick)
            case Constrained():
                raise Stop(
                    Fault(
                        f"{alternative}: cannot add device {devices[0].id}"
                        " because a claim constraint would not be satisfied",
                        node_only=True,
                    )
                )
            case _:
                return

    def _picked(self, alternative: Alternative, device: Candidate) -> object:
        picked = self._attempt.try_pick(alternative, device)
        if isinstance(picked, Fault):
            raise Stop(picked)
        return picked
