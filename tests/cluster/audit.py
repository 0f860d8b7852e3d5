"""What the parts' accounts ask of the API server, as it writes it down itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cluster.places import Home

_USERS = [
    "system:serviceaccount:slicewire-system:slicewire-publisher",
    "system:serviceaccount:slicewire-nodes:slicewire-node-prep",
]
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],  # a watch is written down once it is let in
    "rules": [{"level": "Metadata", "users": _USERS}, {"level": "None"}],
}


class Right(NamedTuple):
    """As a role has it; a subresource after a slash."""

    group: str
    resource: str
    verb: str


class Asked(NamedTuple):
    user: str
    right: Right
    is_allowed: bool


def flags(home: Home) -> Iterator[str]:
    """Of the API server."""
    policy = home.root / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_POLICY))
    yield f"--audit-policy-file={policy}"
    yield f"--audit-log-path={log(home)}"
    yield "--audit-log-maxsize=1024"  # megabytes: never begun anew while a test reads on


def log(home: Home) -> Path:
    return home.logs / "audit.log"


class Record:
    """From now on."""

    def __init__(self, home: Home) -> None:
        self._log = log(home)
        self._start = self._log.stat().st_size if self._log.exists() else 0

    def asked(self) -> Iterator[Asked]:
        """What concerns an object; what is asked of the server itself (its version) takes no role."""
        with self._log.open("rb") as lines:
            lines.seek(self._start)
            for line in lines:
                if line.endswith(b"\n"):  # the last one may be half written
                    yield from _read(json.loads(line))


def _read(event: dict[str, Any]) -> Iterator[Asked]:
    about = event.get("objectRef")
    if about is None:
        return
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    right = Right(about.get("apiGroup", ""), resource, event["verb"])
    decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
    yield Asked(event["user"]["username"], right, decision == "allow")
