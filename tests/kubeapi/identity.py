"""What only the server gives an object: its time, its uid, its generated name."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.kubeapi.schema import rfc3339
from tests.kubeapi.targets import Target

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GENERATED_BASE = 58


def utc_now() -> datetime:
    return datetime.now(UTC)


class Identity:
    """A clock and a chance; give both and everything comes out the same again."""

    def __init__(self, clock: Callable[[], datetime] = utc_now, chance: random.Random | None = None) -> None:
        self._clock = clock
        self._chance = chance or random.Random()

    def time(self) -> str:
        return rfc3339(self._clock())

    def uid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def generated_name(self, base: str) -> str:
        """The base, cut so that five letters fit into a label."""
        return base[:_GENERATED_BASE] + "".join(self._chance.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))

    def given(self, target: Target, metadata: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The metadata of a new object: what its creator says, and what only the server does."""
        made = {**metadata, "name": name, "uid": self.uid(), "creationTimestamp": self.time()}
        if target.namespace:
            made["namespace"] = target.namespace
        if target.kind.counts_generations:
            made["generation"] = 1
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
            made.pop(field, None)
        return made
