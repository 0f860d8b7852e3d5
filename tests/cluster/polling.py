"""The one place of these tests that looks by the clock: at what programs beside this one do."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def _never() -> bool:
    return False


def comes_true(holds: Callable[[], bool], seconds: float, is_hopeless: Callable[[], bool] = _never) -> bool:
    """Whether it is so within the time, and before there is no hope of it."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end or is_hopeless():
            return False
        time.sleep(_POLL_SECONDS)  # it is the state of another process, which sends us no event to await
    return True
