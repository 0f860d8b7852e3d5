"""One look at the node: NVML and sysfs in, the pool as it would be told out."""

from __future__ import annotations

from pathlib import Path

from slicewire.common.messages import PoolObserved, Unreadable
from slicewire.common.model import DriverName, NodeName, PoolName
from slicewire.common.nvml.port import Nvml
from slicewire.discovery import sysfs
from slicewire.discovery.core.inventory import inventory
from slicewire.discovery.core.vanished import Seen


class Looker:
    """Looks at one node for one driver, and remembers which GPUs it saw. Blocks: call it in a thread."""

    def __init__(self, nvml: Nvml, node: NodeName, driver: DriverName, sysfs_root: Path) -> None:
        self._nvml = nvml
        self._node = node
        self._driver = driver
        self._sysfs_root = sysfs_root
        self._seen = Seen()

    @property
    def key(self) -> tuple[str, str]:
        """Of the pool in the inventory channel."""
        return self._node, self._driver

    def look(self) -> PoolObserved:
        """The pool now; its generation is 0 until it is compared with what was told before."""
        found = inventory(self._nvml.look(), sysfs.gpus_on_the_bus(self._sysfs_root))
        found, self._seen = self._seen.completed(found), self._seen.with_look(found)
        return PoolObserved(
            node=self._node,
            driver=self._driver,
            pool=PoolName(self._node),  # NVIDIA's driver names the pool after the node
            generation=0,
            devices=found.devices,
            unreadable=tuple(Unreadable(what=one.what, reason=one.reason) for one in found.unseen),
        )
