"""A watch: the present or the changes since a revision, then each change as it comes, until one ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from tests.kubeapi.answers import line
from tests.kubeapi.faults import CutWatch, Expire, Fault
from tests.kubeapi.feed import Feed
from tests.kubeapi.history import Change, History
from tests.kubeapi.kinds import Kind
from tests.kubeapi.listing import Event, Page, as_seen, bookmark, list_page, seen_after
from tests.kubeapi.older import shown
from tests.kubeapi.parameters import Watching
from tests.kubeapi.statuses import Refused, expired

_TOO_OLD = "too old resource version"


class Watches:
    """The watches that are open now."""

    def __init__(self, history: History, bookmark_every_seconds: float) -> None:
        self._history = history
        self._pace = bookmark_every_seconds
        self._open: dict[Feed, web.Request] = {}

    def __len__(self) -> int:
        return len(self._open)

    def cut(self) -> None:
        """Close every connection without a word."""
        for request in tuple(self._open.values()):
            _abort(request)

    def expire(self) -> None:
        """End every watch with the ERROR event of a revision that is too old."""
        for feed in self._open:
            feed.put(expired(_TOO_OLD))

    async def serve(
        self, request: web.Request, watching: Watching, fault: Fault | None, version: str = ""
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        with Feed(self._history, watching.selection.kind) as feed:
            self._open[feed] = request
            try:
                if isinstance(fault, Expire):
                    feed.put(expired(_TOO_OLD))
                await response.prepare(request)
                events = self._events(feed, watching)
                seen = (in_version(event, watching.selection.kind, version) async for event in events)
                await self._send(request, response, seen, fault)
            finally:
                del self._open[feed]
        return response

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        events: AsyncIterator[Event],
        fault: Fault | None,
    ) -> None:
        most = fault.after_events if isinstance(fault, CutWatch) else None
        sent = 0
        async for event in events:
            if sent == most:
                _abort(request)
                return
            await response.write(line(event))
            sent += 1

    async def _events(self, feed: Feed, watching: Watching) -> AsyncIterator[Event]:
        deadline = _deadline(watching.timeout_seconds)
        try:
            for event in _first_events(self._history, watching):
                yield event
            while (left := _left(deadline)) > 0:
                news = await feed.take(min(self._pace, left))
                for event in _seen(news, watching):
                    yield event
                if watching.bookmarks and not news:
                    yield bookmark(watching.selection, self._history.revision)
        except Refused as refused:
            yield "ERROR", refused.status()


def in_version(event: Event, kind: Kind, version: str) -> Event:
    """The event as a client of this version sees it."""
    name, found = event
    return event if name in {"ERROR", "BOOKMARK"} else (name, shown(kind, found, version))


def _first_events(history: History, watching: Watching) -> Iterator[Event]:
    """Computed at once, so that it joins the feed without a gap or an overlap."""
    if watching.revision:
        return iter(tuple(seen_after(history, watching.selection, watching.revision)))
    present = list_page(history, watching.selection, Page())
    events: list[Event] = [("ADDED", each) for each in present.items]
    if watching.initial_events and watching.bookmarks:
        events.append(bookmark(watching.selection, present.revision, ends_initial_events=True))
    return iter(events)


def _seen(news: tuple[Change | Refused, ...], watching: Watching) -> Iterator[Event]:
    """A watch from a revision that is still to come says nothing until it has come."""
    for each in news:
        if isinstance(each, Refused):
            raise each
        if each.revision > watching.revision and (event := as_seen(each, watching.selection)):
            yield event


def _deadline(timeout_seconds: int) -> float:
    return asyncio.get_running_loop().time() + timeout_seconds if timeout_seconds else float("inf")


def _left(deadline: float) -> float:
    return deadline - asyncio.get_running_loop().time()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
