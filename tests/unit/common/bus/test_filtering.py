"""What a follower asks for fits into one filter where it is one node's, so that the server can weigh it."""

from __future__ import annotations

from slicewire.common.bus import filtering
from slicewire.common.messages import CATALOGUE, INVENTORY, LEDGERS, NODES, PREPARED

STATE = "slicewire.v1.state"


def patterns(*channels: object) -> list[str]:
    return [channel.pattern for channel in channels]  # type: ignore[attr-defined]


def test_what_is_of_one_node_is_one_filter() -> None:
    ours = patterns(INVENTORY.under("n.a", "gpu"), LEDGERS.under("n.a", "gpu"), PREPARED.under("n.a"))
    assert filtering.filters(ours) == {"filter_subject": f"{STATE}.*.n_a.>"}


def test_and_what_else_it_brings_is_passed_over() -> None:
    ours = patterns(INVENTORY.under("a", "gpu"), PREPARED.under("a"))
    assert filtering.is_wanted(f"{STATE}.inventory.a.gpu", ours)
    assert filtering.is_wanted(f"{STATE}.prepared.a.claim-1", ours)
    assert not filtering.is_wanted(f"{STATE}.inventory.a.nic", ours)
    assert not filtering.is_wanted(f"{STATE}.ledger.a.gpu", ours)


def test_what_is_of_two_nodes_stays_as_it_is() -> None:
    both = patterns(INVENTORY.under("a", "gpu"), LEDGERS.under("b", "gpu"))
    assert filtering.filters(both) == {"filter_subjects": both}


def test_whole_channels_stay_as_they_are() -> None:
    everything = patterns(*CATALOGUE)
    assert filtering.filters(everything) == {"filter_subjects": everything}
    assert filtering.filters(patterns(NODES)) == {"filter_subject": f"{STATE}.node.>"}


def test_a_single_name_is_not_taken_for_a_node_s_facts() -> None:
    one = patterns(NODES.under("a"), INVENTORY.under("a", "gpu"))
    assert filtering.filters(one) == {"filter_subjects": one}


def test_the_filter_is_in_the_call() -> None:
    one = {"name": "x", **filtering.filters(patterns(INVENTORY.under("a")))}
    assert filtering.call("S", one) == f"CONSUMER.CREATE.S.x.{STATE}.inventory.a.>"
    many = {"name": "x", **filtering.filters(patterns(*CATALOGUE))}
    assert filtering.call("S", many) == "CONSUMER.CREATE.S.x"
