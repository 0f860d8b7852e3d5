"""One look at the node: NVML, sysfs and the node policy in, the pool as it would be told out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from slicewire.common.messages import PoolObserved, Unreadable
from slicewire.common.model import DriverName, NodeName, PoolName
from slicewire.common.nvml.port import Nvml
from slicewire.discovery import pciids, sysfs
from slicewire.discovery.core.inventory import Look, inventory
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.core.policy import NodePolicy
from slicewire.discovery.core.vanished import Seen
from slicewire.discovery.namesfile import NamesFile
from slicewire.discovery.policyfile import PolicyFile


class Looker:
    """Looks at one node for one driver, and remembers which GPUs it saw. Blocks: call it in a thread."""

    def __init__(
        self,
        nvml: Nvml,
        node: NodeName,
        driver: DriverName,
        sysfs_root: Path,
        policy: PolicyFile | None = None,
        names: NamesFile | None = None,
    ) -> None:
        self._nvml = nvml
        self._node = node
        self._driver = driver
        self._sysfs_root = sysfs_root
        self._policy = policy or PolicyFile()
        self._names = names or NamesFile()
        self._seen = Seen()
        self._in_force = NodePolicy()
        self._on_the_bus: tuple[PciGpu, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Of the pool in the inventory channel."""
        return self._node, self._driver

    def policy(self) -> NodePolicy:
        """In force at the last look."""
        return self._in_force

    def on_the_bus(self) -> tuple[PciGpu, ...]:
        """What the last look found there."""
        return self._on_the_bus

    def look(self) -> PoolObserved:
        """The pool now; its generation is 0 until it is compared with what was told before."""
        read = self._policy.read()
        self._in_force = read.policy
        found = inventory(self._everything(), read.policy, self._names.names())
        troubles = (*read.unseen, *self._names.keep(found.names))
        found, self._seen = self._seen.completed(found), self._seen.with_look(found)
        return PoolObserved(
            node=self._node,
            driver=self._driver,
            pool=PoolName(self._node),  # NVIDIA's driver names the pool after the node
            generation=0,
            devices=found.devices,
            shared_counters=found.shared_counters,
            unreadable=tuple(
                Unreadable(what=one.what, reason=one.reason) for one in (*troubles, *found.unseen)
            ),
        )

    def _everything(self) -> Look:
        facts = self._nvml.look()
        self._on_the_bus = sysfs.gpus_on_the_bus(self._sysfs_root)
        return Look(
            facts=facts,
            on_the_bus=self._on_the_bus,
            node=self._node,
            product_names=self._product_names,
            iommu_fd=(self._nvml.driver_root / "dev" / "iommu").exists(),
        )

    @cached_property
    def _product_names(self) -> Mapping[str, str]:
        return pciids.product_names((self._nvml.driver_root, Path("/")))
