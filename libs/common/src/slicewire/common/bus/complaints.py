"""What NATS' client complains of, said once: what a person must mend as a warning, the rest to debug."""

from __future__ import annotations

import re

from slicewire.common.bus.identity import Access
from slicewire.common.logs import Log

_NOT_ALLOWED = "permissions violation"
_OURS = re.compile(r"\b[0-9a-f]{32}\b")
"""A consumer that follows has a new name each time."""
_log = Log("bus")


class Complaints:
    """Of one connection."""

    def __init__(self, access: Access, url: str) -> None:
        self._access = access
        self._url = url
        self._said: set[str] = set()
        self._refusal = ""

    async def heard(self, error: Exception) -> None:
        """The client's error callback."""
        if _NOT_ALLOWED in (text := str(error)).lower():  # its subject may have any word in it
            self._say("bus does not allow it", _OURS.sub("*", text.removeprefix("nats: ")))
        elif refusal := self._access.refusal(error):
            self._refusal = refusal
            self._say("bus refuses us", refusal)
        else:
            _log.debug("bus", reason=repr(error))

    def _say(self, event: str, reason: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            _log.warning(event, url=self._url, reason=reason)

    def connected(self) -> None:
        self._refusal = ""
        self._said.clear()
        if soon := self._access.ends_soon():
            _log.warning("bus will refuse us soon", url=self._url, reason=soon)

    def in_words(self) -> str:
        """Why there is no connection."""
        if self._refusal:
            return f"the bus at {self._url} refuses us: {self._refusal}"
        return f"no NATS server answers at {self._url}"
