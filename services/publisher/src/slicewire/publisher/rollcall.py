"""The roll-call: every agent is asked in turn whether it is still there, for as long as we lead.

A process that dies sends nothing, and one whose inventory does not change has nothing to tell. So it is
asked: one small question a pool and round, which nobody keeps. `attendance` judges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain

from slicewire.common.bus.port import Bus, BusUnavailable, Declined
from slicewire.common.logs import Log
from slicewire.common.messages import ALIVE, AliveRequest
from slicewire.common.model import wire
from slicewire.publisher.cluster import Cluster, about_agent
from slicewire.publisher.core.attendance import STORM_ROUNDS, Attendance, Word, after_round, left
from slicewire.publisher.keys import Key, PoolKey

_ANSWER_SECONDS = 5.0
_AT_ONCE = 64
Wake = Callable[[Iterable[Key]], None]
_log = Log("publisher.rollcall")


class RollCall:
    def __init__(self, bus: Bus, cluster: Cluster, every_seconds: float) -> None:
        self._bus = bus
        self._cluster = cluster
        self._every_seconds = every_seconds
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def begin(self) -> None:
        """Nothing is known of anybody, whatever was known when we led before."""
        self._cluster.attendance = Attendance() if self._every_seconds else None

    async def run(self, wake: Wake) -> None:
        """For ever. The first round is asked at once, each later one is spread over its time."""
        time, spread = asyncio.get_running_loop().time, 0.0
        while self._every_seconds:
            end = time() + self._every_seconds
            await self.once(wake, spread)
            await asyncio.sleep(max(end - time(), 0.0))
            spread = self._every_seconds

    async def once(self, wake: Wake, spread_seconds: float = 0.0) -> None:
        """One round."""
        self._judge(await self._ask_all(spread_seconds, wake), wake)

    async def _ask_all(self, spread_seconds: float, wake: Wake) -> dict[PoolKey, Word]:
        keys = self._cluster.answering()
        words: dict[PoolKey, Word] = {}
        async with asyncio.TaskGroup() as tasks:
            for place, key in enumerate(keys):
                await asyncio.sleep(spread_seconds / len(keys) if place else 0.0)
                await self._at_once.acquire()
                tasks.create_task(self._ask(key, words, wake))
        return words

    async def _ask(self, key: PoolKey, words: dict[PoolKey, Word], wake: Wake) -> None:
        try:
            words[key] = await self._word_of(key)
        finally:
            self._at_once.release()
        if words[key] is Word.ANSWERED and self._cluster.is_silent(key):
            wake(self._cluster.hear_from(key))

    async def _word_of(self, key: PoolKey) -> Word:
        try:
            said = await self._bus.ask(
                ALIVE, AliveRequest(), key.node, key.driver, timeout_seconds=_ANSWER_SECONDS
            )
        except BusUnavailable:
            return Word.LOST
        except wire.Malformed:
            return Word.ANSWERED  # by whom it may concern: somebody is there
        if isinstance(said, Declined):
            _log.debug("agent is missing", node=key.node, driver=key.driver, reason=said.reason)
            return Word.REFUSED
        return Word.ANSWERED

    def _judge(self, words: dict[PoolKey, Word], wake: Wake) -> None:
        before = left(self._cluster.attendance or Attendance(), self._cluster.answering())
        after = self._cluster.attendance = after_round(before, words)
        if after.storm == 1:
            _log.error(
                "most agents are missing at once: the bus, or all of them",
                missing=sum(word is not Word.ANSWERED for word in words.values()),
                asked=len(words),
                believed_for_rounds=STORM_ROUNDS,
            )
        if before.storm and not after.storm:
            _log.info("most agents are there again", asked=len(words))
        changed = (after.silent - before.silent) | (after.present - before.present)
        wake(chain.from_iterable(map(about_agent, changed)))
