"""Who reaches whom over NVLink."""

from __future__ import annotations

from slicewire.common.nvml.facts import Fabric, FabricState, GpuFacts, NvLink, PeerKind
from tests.unit.discovery.builders import a_gpu, a_node, seen, the, values

RACK = "11111111-2222-3333-4444-555555555555"


def _linked(minor: int, *ends: str, kind: PeerKind = PeerKind.SWITCH, **more: object) -> GpuFacts:
    links = tuple(
        NvLink(link=number, version="4.0", peer=kind, peer_pci_bus_id=f"00000000:{end}:00.0")
        for number, end in enumerate(ends)
    )
    return a_gpu(minor, links=links, **more)


def _told(*gpus: GpuFacts, node: str = "node-a") -> list[tuple[object, object]]:
    """Domain and peers of each."""
    found = seen(a_node(*gpus), node=node)
    each = [values(device) for device in found.devices]
    return [(one.get("slicewire.dev/nvlinkDomain"), one.get("slicewire.dev/nvlinkPeers")) for one in each]


def test_gpus_on_the_same_switches_are_peers_in_one_domain() -> None:
    (first, _), (second, peers), apart = _told(
        _linked(0, "C4", "C5"), _linked(1, "C5", "C6"), _linked(2, "D0")
    )
    assert first == second
    assert peers == "0"
    assert apart[0] not in {first, None}
    assert apart[1] is None


def test_gpus_linked_to_each_other_are_peers_over_others_too() -> None:
    gpus = (
        _linked(0, "1B", kind=PeerKind.GPU),
        _linked(1, "1A", "4A", kind=PeerKind.GPU),
        _linked(2, "1B", kind=PeerKind.GPU),
    )
    told = _told(*gpus)
    assert [peers for _, peers in told] == ["1,2", "0,2", "0,1"]
    assert len({domain for domain, _ in told}) == 1


def test_a_gpu_without_links_has_neither() -> None:
    assert _told(a_gpu(0), _linked(1, "1A", kind=PeerKind.OTHER)) == [(None, None), (None, None)]


def test_a_domain_is_one_nodes_own_and_outlives_the_loss_of_a_gpu() -> None:
    pair = (_linked(0, "C4"), _linked(1, "C4"))
    domain = _told(*pair)[0][0]
    assert _told(*pair, node="node-b")[0][0] != domain
    assert _told(pair[1])[0][0] == domain


def test_a_fabric_beyond_the_node_is_the_domain() -> None:
    fabric = Fabric(state=FabricState.COMPLETED, cluster_uuid=RACK, clique_id=7)
    (device,) = seen(a_node(_linked(0, "C4", "C4", fabric=fabric))).devices
    told = values(device)
    assert told["slicewire.dev/fabricClique"] == told["slicewire.dev/nvlinkDomain"] == f"{RACK}.7"
    assert told["slicewire.dev/nvlinks"] == 2


def test_a_fabric_that_is_not_ready_is_none() -> None:
    fabric = Fabric(state=FabricState.IN_PROGRESS, cluster_uuid=RACK, clique_id=7)
    device = the(seen(a_node(_linked(0, "C4", fabric=fabric))), "gpu-0")
    assert "slicewire.dev/fabricClique" not in device.attributes


def test_power_limit_and_socket_are_told_where_they_are_known() -> None:
    told = values(the(seen(a_node(a_gpu(power_limit_milliwatts=700_000, module_id=3))), "gpu-0"))
    assert (told["slicewire.dev/powerLimitMilliwatts"], told["slicewire.dev/moduleID"]) == (700_000, 3)
