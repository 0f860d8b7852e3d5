"""Who belongs together, who is complete, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from slicewire.common.model import ObjectMeta
from slicewire.publisher.core.gangs import (
    Gang,
    GangKey,
    Turn,
    admitted,
    gang_of,
    is_complete,
    joined,
    next_turn,
    size_of,
)
from slicewire.publisher.core.pods import Pod, PodResourceClaim, PodSpec, claim_names

A, B, C = (GangKey("ns", name) for name in "abc")


def a_pod(
    *claims: str, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None
) -> Pod:
    named = "-".join(claims)
    meta = ObjectMeta(name=named, namespace="ns", labels=labels or {}, annotations=annotations or {})
    entries = tuple(PodResourceClaim(name=name, resource_claim_name=name) for name in claims)
    return Pod(metadata=meta, spec=PodSpec(resource_claims=entries))


def of_size(size: str) -> Pod:
    return a_pod(labels={"slicewire.dev/gang-size": size})


def a_gang(key: GangKey, since: str = "1", *, complete: bool = True, served: bool = False) -> Gang:
    return Gang(key=key, since=since, is_complete=complete, is_served=served)


def test_a_gang_is_named_by_label_or_annotation() -> None:
    assert gang_of(a_pod()) is None
    assert gang_of(a_pod(labels={"slicewire.dev/gang": "a"})) == A
    assert gang_of(a_pod(annotations={"slicewire.dev/gang": "b"})) == B


@pytest.mark.parametrize(
    ("sizes", "size"), [((), 0), (("2", "3"), 3), (("x", "2"), 2), (("-1",), 0), (("",), 0)]
)
def test_the_largest_size_that_can_be_read_counts(sizes: tuple[str, ...], size: int) -> None:
    assert size_of(map(of_size, sizes)) == size


@pytest.mark.parametrize(("sizes", "complete"), [(("2",), False), (("2", "2"), True), (("x", "x"), False)])
def test_a_gang_is_complete_when_all_are_there(sizes: tuple[str, ...], complete: bool) -> None:
    assert is_complete([of_size(size) for size in sizes]) is complete


def test_the_oldest_complete_gang_collects_first() -> None:
    gangs = (a_gang(A, "3"), a_gang(B, "2"), a_gang(C, "1", complete=False))
    assert next_turn(Turn(), gangs, 5, 30) == Turn(B, 5)


def test_a_turn_lasts_until_the_gang_is_served_or_gone() -> None:
    turn = Turn(A, 0)
    assert next_turn(turn, (a_gang(A, "9"), a_gang(B)), 29, 30) == turn
    assert next_turn(turn, (a_gang(A, served=True), a_gang(B)), 1, 30) == Turn(B, 1)
    assert next_turn(turn, (), 1, 30) == Turn()


def test_who_collects_in_vain_makes_way_and_comes_again_after_the_others() -> None:
    gangs = (a_gang(A, "1"), a_gang(B, "2"))
    first = next_turn(Turn(), gangs, 0, 30)
    second = next_turn(first, gangs, 30, 30)
    third = next_turn(second, gangs, 60, 30)
    assert [turn.key for turn in (first, second, third)] == [A, B, A]


def test_whoever_has_everything_keeps_it_while_another_collects() -> None:
    gangs = (a_gang(A, served=True), a_gang(B), a_gang(C))
    assert admitted(Turn(B, 0), gangs) == {A, B}


def using(*pods: Pod) -> Callable[[str], tuple[Pod, ...]]:
    """By claim name, as `GatedPods` finds them."""
    return lambda name: tuple(pod for pod in pods if name in (claim_names(pod) or ()))


def test_claims_that_pods_share_are_joined_through_all_of_them() -> None:
    users = using(a_pod("shared", "left"), a_pod("shared", "right"), a_pod("right", "far"), a_pod("alone"))
    assert set(joined("left", users)) == {"left", "shared", "right", "far"}
    assert joined("alone", users) == ("alone",)
    assert joined("nobody-s", users) == ("nobody-s",)


def test_of_every_claim_of_a_group_the_group_is_the_same_and_so_is_its_order() -> None:
    users = using(a_pod("shared", "left"), a_pod("shared", "right"))
    assert len({joined(name, users) for name in ("shared", "left", "right")}) == 1


def test_a_pod_whose_claims_are_not_made_yet_joins_nobody() -> None:
    entry = PodResourceClaim(name="late", resource_claim_template_name="t")
    pod = a_pod("left")
    late = msgspec.structs.replace(pod, spec=PodSpec(resource_claims=(*pod.spec.resource_claims, entry)))
    assert joined("left", using(late)) == ("left",)
