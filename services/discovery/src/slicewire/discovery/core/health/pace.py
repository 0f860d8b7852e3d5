"""How often to act on news: at once as long as it is rare, and at a steady pace when it is not."""

from __future__ import annotations

import msgspec

_SECOND = 1_000_000_000


class Pace(msgspec.Struct, frozen=True):
    """Times are nanoseconds of any clock that never goes back."""

    per_second: int
    at_once: int
    """So many in a row before the pace holds."""
    earned_until: int = 0
    """When everything done so far would be done, had it been done at the pace."""

    def wait(self, now: int) -> int:
        """How long until the next time."""
        return max(0, self.earned_until - now - (self.at_once - 1) * self._interval)

    def used(self, now: int) -> Pace:
        """It was acted now."""
        earned_until = max(self.earned_until, now) + self._interval
        return msgspec.structs.replace(self, earned_until=earned_until)

    @property
    def _interval(self) -> int:
        return _SECOND // self.per_second
