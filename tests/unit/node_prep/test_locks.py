"""What concerns one device goes in order, everything else in parallel."""

from __future__ import annotations

import asyncio

from slicewire.node_prep.locks import Locks


class Worker:
    """Holds some names until it is let go, and writes down when."""

    def __init__(self, locks: Locks, seen: list[str], *names: str) -> None:
        self.holds = asyncio.Event()
        self.let_go = asyncio.Event()
        self._locks, self._seen, self._names = locks, seen, names

    async def work(self) -> None:
        async with self._locks.holding(*self._names):
            self._seen.append("+".join(self._names))
            self.holds.set()
            await self.let_go.wait()


async def test_one_name_is_held_by_one_at_a_time_in_the_order_of_asking() -> None:
    seen: list[str] = []
    locks = Locks()
    first, second = Worker(locks, seen, "a"), Worker(locks, seen, "a", "b")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first.work())
        tasks.create_task(second.work())
        await first.holds.wait()
        assert not second.holds.is_set()
        first.let_go.set()
        await second.holds.wait()
        second.let_go.set()
    assert seen == ["a", "a+b"]


async def test_different_names_are_held_together() -> None:
    locks = Locks()
    workers = [Worker(locks, [], name) for name in ("a", "b")]
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.work())
        for worker in workers:
            await worker.holds.wait()
        for worker in workers:
            worker.let_go.set()


async def test_takers_of_the_same_names_in_any_order_never_wait_for_each_other_for_ever() -> None:
    locks = Locks()
    seen: list[str] = []
    workers = [Worker(locks, seen, *names) for names in (("a", "b"), ("b", "a"), ("a", "a", "b"))]
    for worker in workers:
        worker.let_go.set()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.work())
    assert len(seen) == 3
