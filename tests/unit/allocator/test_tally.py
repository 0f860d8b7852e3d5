"""Refusals by request and rule, the same words together, and of too many different words one example."""

from __future__ import annotations

from slicewire.allocator.core.tally import REASONS_OF_A_KIND, Tally
from slicewire.common.model import LISTED_DEVICES, DeviceID, DeviceName, NodeName, Rule
from tests.builders import DRIVER


def devices(node: str, *numbers: int) -> list[DeviceID]:
    return [DeviceID(DRIVER, node, DeviceName(f"gpu-{at}")) for at in numbers]  # type: ignore[arg-type]


def test_the_same_words_are_one_group_and_its_node_is_told_if_it_is_but_one() -> None:
    tally = Tally()
    tally.words("gpus", Rule.TAINT).group("sick").note(NodeName("a"), devices("a", 0, 1))
    tally.words("gpus", Rule.TAINT).group("sick").note(NodeName("b"), devices("b", 0))
    tally.words("gpus", Rule.TAINT).group("hot").note(NodeName("b"), devices("b", 1))
    sick, hot = tally.refusals()
    assert (sick.message, sick.count, sick.node) == ("sick", 3, "")
    assert (hot.message, hot.count, hot.node) == ("hot", 1, "b")


def test_requests_are_in_their_order_then_rules_then_the_largest_group() -> None:
    tally = Tally()
    for request, rule, message, count in (
        ("b", Rule.TAINT, "one", 1),
        ("b", Rule.TAINT, "two", 2),
        ("b", Rule.IN_USE, "held", 1),
        ("a", Rule.NODE, "far", 1),
    ):
        tally.words(request, rule).group(message).note(NodeName("n"), devices("n", *range(count)))
    assert [each.message for each in tally.refusals()] == ["held", "two", "one", "far"]


def test_only_so_many_devices_are_named_but_all_are_counted() -> None:
    tally = Tally()
    for node in range(5):
        tally.words("gpus", Rule.IN_USE).group("held").note(
            NodeName(f"n{node}"), devices(f"n{node}", *range(7))
        )
    (held,) = tally.refusals()
    assert (held.count, len(held.devices)) == (35, LISTED_DEVICES)
    assert [each.pool for each in held.devices] == ["n0"] * 7 + ["n1"] * 7 + ["n2"] * 2


def test_of_too_many_different_words_the_first_stands_for_all() -> None:
    tally, node = Tally(), NodeName("n")
    many = 3 * REASONS_OF_A_KIND
    for _ in range(2):
        for at in range(many):
            tally.words("gpus", Rule.IN_USE).group(f"by claim {at}").note(node, devices("n", at))
    (held,) = tally.refusals()
    assert held.message == f"by claim 0, and {many - 1} more like it"
    assert (held.count, held.node, len(held.devices)) == (2 * many, "n", LISTED_DEVICES)


def test_exactly_as_many_words_as_may_be_have_a_group_each() -> None:
    tally = Tally()
    for at in range(REASONS_OF_A_KIND):
        tally.words("gpus", Rule.IN_USE).group(f"by claim {at}").note(NodeName("n"), devices("n", at))
    assert len(tally.refusals()) == REASONS_OF_A_KIND
