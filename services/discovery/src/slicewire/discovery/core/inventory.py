"""What was seen of a node → the devices of its pool, and what is there but cannot be offered.

GPUs are in the order of their PCI bus ids: kube-scheduler takes the first that fit, and neighbours on
the bus share a PCIe root, so a claim for two gets a close pair. (By name, gpu-10 would come before
gpu-2.) The devices of one GPU are in the order of their names, as NVIDIA's DRA driver has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import msgspec

from slicewire.common.model import CounterSet, Device, DeviceAttribute
from slicewire.common.model.naming import counter_set_name, gpu_name
from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.discovery.core import pci
from slicewire.discovery.core.attributes import shared_attributes
from slicewire.discovery.core.counters import undivided
from slicewire.discovery.core.fit import told_apart
from slicewire.discovery.core.gpu import SeenGpu
from slicewire.discovery.core.names import Named, Names, Sighting
from slicewire.discovery.core.nvlink import peers
from slicewire.discovery.core.offering import offered
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.core.policy import DeviceType, Identity, NodePolicy
from slicewire.discovery.core.vfio import vfio_gpu

_DEFAULT = NodePolicy()
_NO_NAMES = Names()


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read of a node at one moment."""

    facts: NodeFacts | NvmlAbsent
    on_the_bus: tuple[PciGpu, ...] = ()
    node: str = ""
    product_names: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of the PCI id database, by device id: `0x2330`."""
    iommu_fd: bool = False
    """The node has `/dev/iommu`."""


class Here(msgspec.Struct, frozen=True):
    """A GPU that is offered, in whatever form."""

    pci_bus_id: str
    uuid: str
    name: str


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The whole truth about a node, as of one look."""

    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    here: tuple[Here, ...] = ()
    names: Names = Names()


def inventory(look: Look, policy: NodePolicy = _DEFAULT, names: Names = _NO_NAMES) -> Inventory:
    """Never fails: what cannot be offered is said in `unseen`, and the rest is offered."""
    match look.facts:
        case NvmlAbsent(reason):
            facts = NodeFacts(driver_version="", cuda_driver_version="", unseen=(Unseen("NVML", reason),))
        case NodeFacts() as found:
            facts = found
    fit, unfit = told_apart(facts.gpus)
    numbered = names.with_seen(_sightings(fit, look.on_the_bus))
    node = _Node(look, facts, policy, numbered)
    unseen = (*facts.unseen, *unfit)
    each = node.gpus(fit) | node.machines({*fit, *_bus_ids(unseen)})
    return _together(each, unseen, look.on_the_bus, numbered)


class _Node(msgspec.Struct, frozen=True):
    """What all GPUs of one look have in common."""

    look: Look
    facts: NodeFacts
    policy: NodePolicy
    names: Names

    def gpus(self, fit: Mapping[str, GpuFacts]) -> dict[str, Inventory]:
        """By bus id, what NVML has."""
        linked = peers(self.look.node, fit, {bus: self.names.number(bus) for bus in fit})
        return {bus: self._gpu(bus, gpu, linked[bus]) for bus, gpu in fit.items()}

    def machines(self, spoken_of: Set[str]) -> dict[str, Inventory]:
        """By bus id, what NVML does not have and a virtual machine may have."""
        found = {}
        for place in self.look.on_the_bus:
            if place.bus_id in spoken_of or not pci.is_for_machines(place):
                continue
            named = self.names.at(place.bus_id)
            choice = self.policy.choice(self._identity(named, place))
            if choice.offers(DeviceType.VFIO):
                alone = not (choice.offers(DeviceType.GPU) or choice.offers(DeviceType.MIG))
                found[place.bus_id] = self._machine(place, named, alone=alone)
        return found

    def _gpu(self, bus: str, facts: GpuFacts, linked: Mapping[str, DeviceAttribute]) -> Inventory:
        named, place = self.names.at(bus), self._place(bus)
        shared, odd = shared_attributes(self.facts, facts, place)
        gpu = SeenGpu(
            facts=facts,
            place=place,
            number=self.names.number(bus),
            vfio=named.vfio,
            choice=self.policy.choice(self._identity(named, place)),
            shared=shared,
            peers=linked,
            product_name=self._product(named, place),
            iommu_fd=self.look.iommu_fd,
        )
        found = offered(gpu)
        return Inventory(
            devices=found.devices,
            shared_counters=(found.counters,) if found.counters else (),
            unseen=(
                *facts.unread,
                *(Unseen(f"{gpu.name} {one.name}", one.reason, bus) for one in odd),
                *(Unseen(gpu.name, remark, bus) for remark in found.remarks),
            ),
            here=(Here(bus, facts.uuid, gpu.name),),
        )

    def _machine(self, place: PciGpu, named: Named, *, alone: bool) -> Inventory:
        """Its other forms are gone while NVML does not have it; the counter stays for their return."""
        counter = None if alone or named.gpu is None else undivided(counter_set_name(named.gpu))
        product_name = self._product(named, place)
        device, odd = vfio_gpu(named.vfio, place, counter, product_name, iommu_fd=self.look.iommu_fd)
        return Inventory(
            devices=(device,),
            shared_counters=(counter,) if counter else (),
            unseen=tuple(Unseen(f"{device.name} {one.name}", one.reason, place.bus_id) for one in odd),
            here=(Here(place.bus_id, named.uuid, device.name),),
        )

    def _identity(self, named: Named, place: PciGpu) -> Identity:
        return Identity(
            node=self.look.node,
            name="" if named.gpu is None else gpu_name(named.gpu),
            uuid=named.uuid,
            pci_bus_id=named.pci_bus_id,
            product_name=named.product_name or self._product(named, place),
        )

    def _product(self, named: Named, place: PciGpu) -> str:
        """As the PCI id database calls it, else as NVML does."""
        return self.look.product_names.get(place.device_id, named.product_name)

    def _place(self, bus: str) -> PciGpu:
        return next((place for place in self.look.on_the_bus if place.bus_id == bus), PciGpu(bus))


def _together(
    each: Mapping[str, Inventory], unseen: tuple[Unseen, ...], on_the_bus: tuple[PciGpu, ...], names: Names
) -> Inventory:
    found = [one for _, one in sorted(each.items())]
    spoken_of = {*each, *_bus_ids(unseen)}
    said = (one for each_one in found for one in each_one.unseen)
    return Inventory(
        devices=tuple(device for one in found for device in one.devices),
        shared_counters=tuple(counters for one in found for counters in one.shared_counters),
        unseen=(*unseen, *said, *_left_out(spoken_of, on_the_bus)),
        here=tuple(here for one in found for here in one.here),
        names=names,
    )


def _sightings(fit: Mapping[str, GpuFacts], on_the_bus: tuple[PciGpu, ...]) -> Iterator[Sighting]:
    """Also of GPUs that the bus does not show: they are counted behind those that it does."""
    places = dict.fromkeys((*(place.bus_id for place in on_the_bus), *sorted(fit)))
    for scan, bus in enumerate(places):
        gpu = fit.get(bus)
        yield Sighting(
            pci_bus_id=bus,
            uuid=gpu.uuid if gpu else "",
            minor=gpu.minor if gpu else None,
            product_name=gpu.product_name if gpu else "",
            scan=scan,
        )


def _bus_ids(unseen: tuple[Unseen, ...]) -> Set[str]:
    return {bus for one in unseen if (bus := pci.bus_id(one.pci_bus_id)) is not None}


def _left_out(spoken_of: Set[str], on_the_bus: tuple[PciGpu, ...]) -> Iterator[Unseen]:
    for gpu in on_the_bus:
        if gpu.bus_id not in spoken_of:
            holder = f"kernel driver {gpu.kernel_driver} has it" if gpu.kernel_driver else "no driver has it"
            reason = f"an NVIDIA GPU is on the PCI bus here, but NVML has no device for it; {holder}"
            yield Unseen(gpu.bus_id, reason, gpu.bus_id)
