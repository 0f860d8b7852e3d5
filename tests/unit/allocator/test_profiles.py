"""What would make it fit: another MIG profile, where the one that is asked for has no place left."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.changes import cheapest_change
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import Change, ChangeKind, Device, DeviceClass, ResourceClaim, Unsatisfiable
from tests.builders import DRIVER, NODE, a_claim, a_class, a_gpu, a_slice, a_snapshot, exactly

PROFILE = f'device.attributes["{DRIVER}"].profile'
TYPE = f'device.attributes["{DRIVER}"].type'
MEMORY = {"1g.10gb": "10Gi", "2g.20gb": "20Gi", "3g.40gb": "40Gi", "7g.80gb": "80Gi"}


def a_partition(profile: str, name: str = "") -> Device:
    named = name or f"mig-{profile.replace('.', '')}"
    return a_gpu(name=named, memory=MEMORY.get(profile, "1Gi"), type="mig", profile=profile)


def partitions(*profiles: str) -> list[Device]:
    return [a_partition(profile) for profile in profiles]


def a_profile_class(profile: str, name: str = "") -> DeviceClass:
    return a_class(name or f"mig-{profile.replace('.', '')}", f'{TYPE} == "mig" && {PROFILE} == "{profile}"')


def advice(snapshot: Snapshot, claim: ResourceClaim) -> Change | None:
    refusal = place([claim], snapshot, [NODE])
    assert isinstance(refusal, Unsatisfiable), refusal
    return cheapest_change([claim], snapshot, [NODE], refusal)


def chosen(snapshot: Snapshot, claim: ResourceClaim) -> str:
    found = advice(snapshot, claim)
    assert found is not None
    assert found.kind is ChangeKind.CHOOSE_PROFILE
    return found.message


def asking_for(profile: str, *more: str) -> ResourceClaim:
    return a_claim(1, " && ".join((*more, f'{PROFILE} == "{profile}"')))


def test_another_profile_is_advised_and_what_it_gives_is_what_one_gets() -> None:
    pool = a_slice(partitions("1g.10gb", "3g.40gb"))
    snapshot = a_snapshot(pool, used={"other": ["mig-3g40gb"]})

    found = advice(snapshot, asking_for("3g.40gb"))

    assert found is not None
    assert (found.kind, found.message) == (
        ChangeKind.CHOOSE_PROFILE,
        "choose profile 1g.10gb instead of 3g.40gb in request gpus",
    )
    done = place([asking_for("1g.10gb")], snapshot, [NODE])
    assert isinstance(done, Placement)
    assert [each.device_id for each in done.results[0].devices.results] == list(found.devices)


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (("1g.10gb", "3g.40gb", "7g.80gb"), "3g.40gb"),
        (("1g.10gb", "7g.80gb"), "7g.80gb"),
        (("1g.10gb",), "1g.10gb"),
    ],
)
def test_the_next_larger_goes_before_any_smaller_one(free: tuple[str, ...], expected: str) -> None:
    snapshot = a_snapshot(a_slice(partitions("2g.20gb", *free)), used={"other": ["mig-2g20gb"]})

    assert chosen(snapshot, asking_for("2g.20gb")).startswith(f"choose profile {expected} instead of 2g.20gb")


def test_what_else_the_selector_says_must_hold_of_the_other_profile_too() -> None:
    large = f'device.capacity["{DRIVER}"].memory.compareTo(quantity("30Gi")) >= 0'
    snapshot = a_snapshot(a_slice(partitions("1g.10gb", "3g.40gb")), used={"other": ["mig-3g40gb"]})

    found = advice(snapshot, asking_for("3g.40gb", large))

    assert found is not None
    assert found.kind is ChangeKind.RELEASE_CLAIM


def test_a_class_of_the_other_profile_is_named() -> None:
    classes = [a_profile_class("1g.10gb"), a_profile_class("3g.40gb")]
    pool = a_slice(partitions("1g.10gb", "3g.40gb"))
    snapshot = a_snapshot(pool, classes=classes, used={"other": ["mig-3g40gb"]})
    claim = a_claim(partition=exactly(1, of="mig-3g40gb"))

    assert chosen(snapshot, claim) == (
        "choose profile 1g.10gb (class mig-1g10gb) instead of 3g.40gb in request partition"
    )


def test_a_class_that_differs_in_more_than_the_profile_is_no_choice() -> None:
    other = a_class("small", f'{PROFILE} == "1g.10gb"')
    pool = a_slice(partitions("1g.10gb", "3g.40gb"))
    snapshot = a_snapshot(pool, classes=[other, a_profile_class("3g.40gb")], used={"other": ["mig-3g40gb"]})

    found = advice(snapshot, a_claim(partition=exactly(1, of="mig-3g40gb")))

    assert found is not None
    assert found.kind is ChangeKind.RELEASE_CLAIM


def test_a_profile_of_odd_letters_is_never_put_into_a_selector() -> None:
    odd = a_partition('1g" || true || "', "odd")
    snapshot = a_snapshot(a_slice([odd, a_partition("3g.40gb")]), used={"other": ["mig-3g40gb"]})

    found = advice(snapshot, asking_for("3g.40gb"))

    assert found is None or found.kind is not ChangeKind.CHOOSE_PROFILE
