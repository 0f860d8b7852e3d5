"""One look at the node with what it means for the health of its GPUs: the pool, taints and all.

Blocks: call it in a thread, one at a time. What it finds is on disk before anybody is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from slicewire.common.logs import Log
from slicewire.common.messages import PoolObserved
from slicewire.common.nvml.facts import Event, NodeFacts, NvmlAbsent
from slicewire.discovery import sysfs
from slicewire.discovery.core import pci
from slicewire.discovery.core.health.course import Examination, examined, next_change
from slicewire.discovery.core.health.findings import Finding, Health
from slicewire.discovery.core.health.lasting import Offer
from slicewire.discovery.core.health.taints import as_told, differing, tainted
from slicewire.discovery.core.health.vitals import Life
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.looking import Looker
from slicewire.discovery.remembering import Memory, Remembered
from slicewire.discovery.seeing import SeeingNvml

_log = Log("discovery")


class Checkup:
    """Of one node's pool, by the health rules of the node policy that the looker looks by."""

    def __init__(
        self,
        looker: Looker,
        nvml: SeeingNvml,
        sysfs_root: Path,
        memory: Memory,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._looker = looker
        self._nvml = nvml
        self._root = sysfs_root
        self._memory = memory
        self._clock = clock
        self._health = Health()
        self._known = Offer()
        """Every device there has been, at the place where it was."""
        self._newcomers: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        """Of the pool in the inventory channel."""
        return self._looker.key

    def recall(self, told: PoolObserved | None) -> None:
        """Before the first look: what the agent before knew, from its file, else from what it told."""
        offer = Offer(told.devices, told.shared_counters) if told else Offer()
        remembered = self._memory.recall() or Remembered(as_told(offer.devices, self._now()))
        self._health = remembered.health
        self._known = offer.with_more(remembered.kept).untainted()

    def look(self, events: tuple[Event, ...] = ()) -> PoolObserved:
        """The pool now; its generation is 0 until it is compared with what was told before."""
        pool = self._seen()
        rules = self._looker.policy().health
        exam = Examination(
            facts=self._nvml.seen,
            now=self._now(),
            on_the_bus=self._looker.on_the_bus(),
            events=events,
            devices=pool.devices,
            life=self._life(),
        )
        before, self._health = self._health, examined(self._health, exam, rules)
        _say(before, self._health)
        seen = Offer(pool.devices, pool.shared_counters)
        self._known = seen.with_more(self._known.without(self._health.places_in_sight()))
        lost = self._known.at(self._health.lost_places())
        self._memory.keep(Remembered(self._health, lost))
        offer = seen.with_more(lost)
        return msgspec.structs.replace(
            pool,
            devices=tainted(offer.devices, self._health, rules),
            shared_counters=offer.shared_counters,
        )

    def seconds_to_next_change(self) -> float | None:
        """Until looking again is worth while even if nothing happens; None when it is not."""
        change = next_change(self._health, self._looker.policy().health, self._now())
        return None if change is None else change - self._clock()

    def is_without_driver(self) -> bool:
        return not isinstance(self._nvml.seen, NodeFacts)

    def _seen(self) -> PoolObserved:
        """NVML lists GPUs that came since only when it is begun anew: once for each set of them."""
        pool = self._looker.look()
        newcomers = _unlisted(self._nvml.seen, self._looker.on_the_bus())
        if newcomers - self._newcomers:
            self._nvml.let_go()
            pool = self._looker.look()
        self._newcomers = newcomers
        return pool

    def _life(self) -> Life:
        """The kernel gives a module another inode each time it is loaded."""
        return Life(
            machine=sysfs.text(self._root / "proc" / "sys" / "kernel" / "random" / "boot_id"),
            driver=_inode(self._root / "sys" / "module" / pci.DRIVER),
        )

    def _now(self) -> int:
        return int(self._clock())


def _unlisted(facts: NodeFacts | NvmlAbsent, on_the_bus: tuple[PciGpu, ...]) -> frozenset[str]:
    """The driver has them, and NVML does not speak of them."""
    if not isinstance(facts, NodeFacts):
        return frozenset()
    written = (*(gpu.pci_bus_id for gpu in facts.gpus), *(one.pci_bus_id for one in facts.unseen))
    spoken_of = {pci.bus_id(place) for place in written}
    return frozenset(
        gpu.bus_id for gpu in on_the_bus if gpu.kernel_driver == pci.DRIVER and gpu.bus_id not in spoken_of
    )


def _inode(file: Path) -> str:
    try:
        return str(file.stat().st_ino)
    except OSError:
        return ""


def _say(before: Health, now: Health) -> None:
    begun, over = differing(before, now)
    for finding in begun:
        _log.warning("GPU is not well", **_fields(finding))
    for finding in over:
        _log.info("GPU has recovered", **_fields(finding))


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "gpu": finding.gpu,
        "ailment": str(finding.ailment),
        "value": finding.value,
        "devices": list(finding.devices) or "all",
    }
