"""The state of a simulated node, and what can become of it.

Pure. Every change is a new value; `statefile` keeps it where the node's processes share it.
"""

from __future__ import annotations

import uuid

import msgspec

from slicewire.common.nvml.profiles import MODELS, MOST_GPUS, slot

_NAMESPACE = uuid.UUID("5b6f3a7e-6a53-5d0e-9a51-2f6d0f6c1c55")
"""Makes UUIDs from node name and position, so that a node keeps its own and no other node has them."""


class BadState(ValueError):
    """The simulated node cannot be made, changed or read so; the message says why."""


class SimulatedGpu(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    minor: int
    uuid: str
    model: str
    pci_bus_id: str = msgspec.field(name="pciBusID")
    pcie_root: str
    numa_node: int
    fault: str = ""
    """What NVML answers instead of the GPU's facts; empty when it is well."""
    mig_enabled: bool = False


class SimulatedXid(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    number: int
    gpu: str
    code: int


class NodeState(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    node: str
    model: str
    driver_version: str = "550.163.01"
    cuda_driver_version: str = "12.4"
    absent: str = ""
    """Why the driver does not answer; empty when it does."""
    gpus: tuple[SimulatedGpu, ...] = ()
    xids: tuple[SimulatedXid, ...] = ()

    def gpu(self, minor: int) -> SimulatedGpu:
        """Raises `BadState`."""
        for gpu in self.gpus:
            if gpu.minor == minor:
                return gpu
        known = ", ".join(str(gpu.minor) for gpu in self.gpus) or "none"
        raise BadState(f"node {self.node} has no GPU {minor}; there are {known}")

    def with_fault(self, minor: int, reason: str) -> NodeState:
        """This GPU answers with the reason only ("GPU is lost"); "" makes it well again."""
        return self._with(msgspec.structs.replace(self.gpu(minor), fault=reason))

    def with_mig(self, minor: int, *, enabled: bool) -> NodeState:
        return self._with(msgspec.structs.replace(self.gpu(minor), mig_enabled=enabled))

    def without_gpu(self, minor: int) -> NodeState:
        """This GPU is taken out of the machine."""
        gone = self.gpu(minor)
        return msgspec.structs.replace(self, gpus=tuple(gpu for gpu in self.gpus if gpu is not gone))

    def with_gpu(self, minor: int) -> NodeState:
        """The GPU of this position is put into the machine. Raises `BadState` where one is."""
        if any(gpu.minor == minor for gpu in self.gpus):
            raise BadState(f"node {self.node} has a GPU {minor} already")
        return self._with(_gpu(self.node, self.model, minor))

    def with_xid(self, minor: int, code: int) -> NodeState:
        """The driver reports this error of this GPU."""
        number = 1 + max((xid.number for xid in self.xids), default=0)
        xid = SimulatedXid(number=number, gpu=self.gpu(minor).uuid, code=code)
        return msgspec.structs.replace(self, xids=(*self.xids, xid)[-_KEPT_XIDS:])

    def with_driver(self, absent: str = "") -> NodeState:
        """The driver answers, or does not for this reason."""
        return msgspec.structs.replace(self, absent=absent)

    def _with(self, gpu: SimulatedGpu) -> NodeState:
        others = (other for other in self.gpus if other.minor != gpu.minor)
        return msgspec.structs.replace(self, gpus=tuple(sorted((*others, gpu), key=lambda g: g.minor)))


_KEPT_XIDS = 64


def new_node(node: str, model: str, gpus: int) -> NodeState:
    """A node as it leaves the factory. Raises `BadState`."""
    if model not in MODELS:
        raise BadState(f"GPU profile {model!r} cannot be simulated; there are {', '.join(MODELS)}")
    if not 0 <= gpus <= MOST_GPUS:
        raise BadState(f"a simulated node has 0 to {MOST_GPUS} GPUs, not {gpus}")
    return NodeState(node=node, model=model, gpus=tuple(_gpu(node, model, minor) for minor in range(gpus)))


def _gpu(node: str, model: str, minor: int) -> SimulatedGpu:
    if not 0 <= minor < MOST_GPUS:
        raise BadState(f"a simulated node has the GPUs 0 to {MOST_GPUS - 1}, not {minor}")
    place = slot(model, minor)
    return SimulatedGpu(
        minor=minor,
        uuid=f"GPU-{uuid.uuid5(_NAMESPACE, f'{node}/{minor}')}",
        model=model,
        pci_bus_id=place.pci_bus_id,
        pcie_root=place.pcie_root,
        numa_node=place.numa_node,
    )
