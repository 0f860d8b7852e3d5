"""Two accounts on the bus: inside, where the streams are and who decides; outside, nodes, users and readers.

A server sends its answer to whatever subject a message names as its reply. In one account, whoever may say
anything could so have the server overwrite any fact. Between two accounts an answer goes back to the
account it was asked from, and no further. Refuses to grant: what crosses is what `rights` names.
"""

from __future__ import annotations

import msgspec

from slicewire.common.bus.rights import INSIDE_API, MINE, OUTSIDE, OUTSIDE_API, ROLL_CALL, inbox, rights
from slicewire.common.messages import ENDPOINTS, VERSION

_API_CALLS = (
    *("STREAM.INFO", "DIRECT.GET"),
    *("CONSUMER.CREATE", "CONSUMER.MSG.NEXT", "CONSUMER.INFO", "CONSUMER.DELETE"),
)
_MANY_ANSWERS = ("DIRECT.GET", "CONSUMER.MSG.NEXT")
_OURS = (f"{VERSION}.", "$JS.FC.")
_OUTSIDE_PARTS = ("discovery", "node-prep")


class Crossing(msgspec.Struct, frozen=True):
    """What one account offers to the other."""

    subject: str
    """As it is called where it is offered."""
    local: str = ""
    """As it is called on the other side, if otherwise."""
    is_stream: bool = False
    """Goes out by itself; else it is asked for, and answered."""
    answers_often: bool = False


def from_inside() -> tuple[Crossing, ...]:
    """What the inside offers: facts to be told, questions to be answered, the streams, and what they send."""
    served_outside = {endpoint.pattern for endpoint in ENDPOINTS if endpoint.server in _OUTSIDE_PARTS}
    said = {subject.replace(MINE, "*"): None for role in OUTSIDE for subject in rights(role).publish}
    plain = [
        Crossing(subject) for subject in said if subject.startswith(_OURS) and subject not in served_outside
    ]
    api = [
        Crossing(f"{INSIDE_API}.{call}.>", f"{OUTSIDE_API}.{call}.>", answers_often=call in _MANY_ANSWERS)
        for call in _API_CALLS
    ]
    sent = [Crossing(f"{inbox(role, '*')}.>", is_stream=True) for role in OUTSIDE]
    return (*plain, *api, *sent)


def from_outside() -> tuple[Crossing, ...]:
    """What the outside offers: the questions that nodes answer, and who they are."""
    asked = (Crossing(endpoint.pattern) for endpoint in ENDPOINTS if endpoint.server in _OUTSIDE_PARTS)
    return (*asked, Crossing(ROLL_CALL, answers_often=True))
