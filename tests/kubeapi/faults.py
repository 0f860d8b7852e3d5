"""Failures on demand: the next requests that match are slow, refused, lost or cut.

Each fault is used up by the requests it hits. Nothing here decides what a request means.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """A request as faults and tests see it; `verb` is get, list, watch, create, update, patch, apply,
    delete or deletecollection."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class Slow:
    """Answer, but only after a while."""

    seconds: float


@dataclass(frozen=True)
class Refuse:
    """Answer with an error and do nothing: 429 with Retry-After, 500, 503, …"""

    code: int
    retry_after_seconds: int = 0


@dataclass(frozen=True)
class Drop:
    """Close the connection and do nothing."""


@dataclass(frozen=True)
class LoseAnswer:
    """Do what was asked, then close the connection: the caller cannot know."""


@dataclass(frozen=True)
class CutWatch:
    """Close a watch without a word once it has sent so many events."""

    after_events: int = 0


@dataclass(frozen=True)
class Expire:
    """Say that the revision is too old: 410 to a list, an ERROR event to a watch."""


Fault = Slow | Refuse | Drop | LoseAnswer | CutWatch | Expire


@dataclass(frozen=True)
class Match:
    """Which requests a fault hits; what is left out matches all."""

    verbs: tuple[str, ...] = ()
    resource: str = ""
    name: str = ""
    subresource: str | None = None

    def hits(self, call: Call) -> bool:
        return (
            (not self.verbs or call.verb in self.verbs)
            and self.resource in {"", call.resource}
            and self.name in {"", call.name}
            and self.subresource in {None, call.subresource}
        )


WRITES = Match(verbs=("create", "update", "patch", "apply", "delete", "deletecollection"))


class Faults:
    """The faults still to come, in the order they were injected."""

    def __init__(self) -> None:
        self._planned: list[tuple[Match, Fault, int]] = []

    def inject(self, fault: Fault, match: Match | None = None, *, times: int = 1) -> None:
        """The next `times` requests that match suffer it."""
        self._planned.append((match or Match(), fault, times))

    def clear(self) -> None:
        self._planned.clear()

    def strike(self, call: Call) -> Fault | None:
        """The fault this request suffers, which is then used up."""
        for index, (match, fault, times) in enumerate(self._planned):
            if match.hits(call):
                self._planned[index : index + 1] = [(match, fault, times - 1)] if times > 1 else []
                return fault
        return None
