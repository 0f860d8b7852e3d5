"""Which GPUs reach each other over NVLink: directly, through the same switches, or across nodes.

GPUs of one domain have one value of `nvlinkDomain`, and no other GPU of any node has it: a claim for
several that reach each other says so with `matchAttribute`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from slicewire.common.model import DeviceAttribute
from slicewire.common.nvml.facts import Fabric, FabricState, GpuFacts, PeerKind
from slicewire.discovery.core import pci
from slicewire.discovery.core.additional import DOMAIN
from slicewire.discovery.core.attributes import numbers, sorted_out, texts

_NAMESPACE = uuid.UUID("d0a7ac1b-6a3d-5b7e-8f0c-6d9f2b8c4e11")
"""Makes the id of a domain from the node and what holds it together."""
Attributes = Mapping[str, DeviceAttribute]


def peers(node: str, gpus: Mapping[str, GpuFacts], numbered: Mapping[str, int]) -> Mapping[str, Attributes]:
    """The attributes of each GPU, by bus id. `numbered` are the numbers in their names."""
    domains = _domains(node, gpus)
    told: dict[str, Attributes] = {}
    for bus, gpu in gpus.items():
        domain = domains.get(bus)
        inside = [numbered[other] for other in domains if other != bus and domains[other] == domain]
        told[bus] = _attributes(gpu, domain, sorted(inside))
    return told


def _attributes(gpu: GpuFacts, domain: str | None, reached: list[int]) -> Attributes:
    said = {
        f"{DOMAIN}fabricClique": _clique(gpu.fabric),
        f"{DOMAIN}nvlinkDomain": domain,
        f"{DOMAIN}nvlinkPeers": ",".join(map(str, reached)) or None,
    }
    counted = {f"{DOMAIN}nvlinks": len(gpu.links) or None}
    found, _ = sorted_out((*texts(said), *numbers(counted)))
    return found


def _clique(fabric: Fabric | None) -> str | None:
    """`<cluster UUID>.<clique>`, as NVIDIA labels nodes with it; None for a fabric that ends at its node."""
    if fabric is None or fabric.state is not FabricState.COMPLETED or not fabric.cluster_uuid:
        return None
    return f"{fabric.cluster_uuid}.{fabric.clique_id}"


def _domains(node: str, gpus: Mapping[str, GpuFacts]) -> Mapping[str, str]:
    """By bus id of the GPU; none for a GPU that reaches no other.

    What is inside the node is named after the lowest bus id that its links lead to, most often a
    switch, so that the name outlives the loss of a GPU.
    """
    wired = {bus: ends for bus, gpu in gpus.items() if (ends := _ends(gpu))}
    domains: dict[str, str] = {}
    for bus in wired:
        if bus not in domains:
            together, ends = _reached(bus, wired)
            inside = uuid.uuid5(_NAMESPACE, f"{node}/{min(ends)}")
            domains |= dict.fromkeys(together, str(inside))
    beyond = {bus: clique for bus, gpu in gpus.items() if (clique := _clique(gpu.fabric))}
    return {**domains, **beyond}


def _reached(start: str, wired: Mapping[str, frozenset[str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The GPUs that this one reaches, over others too, and everything that they are linked to."""
    together, ends = frozenset({start}), wired[start]
    while (
        more := {bus for bus, there in wired.items() if bus in ends or there & (ends | together)} - together
    ):
        together |= more
        ends = ends.union(*(wired[bus] for bus in more))
    return together, ends


def _ends(gpu: GpuFacts) -> frozenset[str]:
    """What its links lead to: switches and other GPUs."""
    far = (link.peer_pci_bus_id for link in gpu.links if link.peer is not PeerKind.OTHER)
    return frozenset(pci.bus_id(bus_id) or bus_id for bus_id in far)
