"""Where the simulated GPUs sit, and what they are wired to."""

from __future__ import annotations

import pytest

from slicewire.common.nvml.facts import Fabric, FabricState, NodeFacts, PeerKind
from slicewire.common.nvml.simulated.board import MOST_GPUS, links, module, slot
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.seeing import seen
from slicewire.common.nvml.simulated.state import new_node


@pytest.mark.parametrize("model", MODELS)
def test_every_gpu_of_a_node_has_a_slot_of_its_own(model: str) -> None:
    slots = [slot(model, position) for position in range(MOST_GPUS)]
    assert len({place.pci_bus_id for place in slots}) == MOST_GPUS


def test_gpus_of_one_board_meet_at_the_same_switches() -> None:
    def switches(position: int) -> set[str]:
        return {link.peer_pci_bus_id for link in links("h100", slot("h100", position).pci_bus_id)}

    assert switches(0) == switches(7)
    assert not switches(0) & switches(8)  # the second board


@pytest.mark.parametrize(
    ("model", "count", "version"), [("a100-80gb", 12, "3.1"), ("h100", 18, "4.0"), ("gb200", 18, "5.0")]
)
def test_links_are_as_many_and_as_new_as_on_the_product(model: str, count: int, version: str) -> None:
    found = links(model, slot(model, 0).pci_bus_id)
    assert [link.link for link in found] == list(range(count))
    assert {(link.version, link.peer) for link in found} == {(version, PeerKind.SWITCH)}


def test_cards_in_pcie_slots_have_no_links_and_no_socket() -> None:
    assert links("l40s", slot("l40s", 0).pci_bus_id) == ()
    assert module("t4", 3) is None
    assert [module("h100", position) for position in (0, 7, 8)] == [1, 8, 1]


def _fabric(model: str, node: str) -> Fabric | None:
    facts = seen(new_node(node, model, 1))
    assert isinstance(facts, NodeFacts)
    return facts.gpus[0].fabric


def test_nodes_of_one_rack_share_a_fabric() -> None:
    fabric = _fabric("gb200", "node-a")
    assert fabric is not None
    assert fabric.state is FabricState.COMPLETED
    assert fabric.cluster_uuid
    assert fabric == _fabric("gb200", "node-b")


def test_a_fabric_within_the_node_has_no_cluster() -> None:
    assert _fabric("h100", "node-a") == Fabric(state=FabricState.COMPLETED)
    assert _fabric("a100-80gb", "node-a") is None
