"""What must be written so that the stored slices of a pool are the desired ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from slicewire.common.model import (
    Counter,
    Device,
    DeviceCapacity,
    DeviceCounterConsumption,
    DeviceName,
    DeviceTaint,
    DriverName,
    NodeName,
    PoolName,
    Quantity,
    ResourceSlice,
)
from slicewire.publisher.core.difference import Change, Create, Delete, Update, difference
from slicewire.publisher.core.slices import PoolWanted, desired_slices
from tests.unit.publisher.storing import (
    NOW,
    SliceStore,
    a_pool,
    as_served,
    counter_sets,
    edited,
    gpus,
    of_generation,
)

SICK = DeviceTaint(key="sick", effect="NoExecute")
BEGAN = "2026-11-20T08:00:00Z"


def stored(wanted: PoolWanted) -> tuple[ResourceSlice, ...]:
    """The pool as it is in Kubernetes after its first publication."""
    store = SliceStore()
    store.publish(wanted)
    return store.slices


def steps(changes: tuple[Change, ...]) -> list[str]:
    return [type(change).__name__ for change in changes]


def generations(changes: tuple[Change, ...]) -> list[int]:
    return [change.slice.spec.pool.generation for change in changes if not isinstance(change, Delete)]


def reasons(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.name: change.reason for change in changes if isinstance(change, Delete)}


def partitioned(sets: int, memory: str = "80Gi") -> PoolWanted:
    """Counter sets, and a device that draws from the first."""
    counters = {"memory": Counter(value=Quantity(memory))}
    draws = DeviceCounterConsumption(counter_set="gpu-0-counters", counters=counters)
    devices = gpus(1, consumes_counters=(draws,))
    return a_pool(devices, shared_counters=counter_sets(sets, memory))


def test_a_pool_seen_for_the_first_time_is_created_at_generation_one() -> None:
    changes = difference(desired_slices(a_pool(gpus(129))), ())
    assert steps(changes) == ["Create", "Create"]
    assert generations(changes) == [1, 1]


def test_an_empty_pool_is_published_too() -> None:
    assert steps(difference(desired_slices(a_pool()), ())) == ["Create"]
    assert difference(desired_slices(a_pool()), stored(a_pool())) == ()


def test_nothing_wanted_and_nothing_stored_is_nothing_to_do() -> None:
    assert difference((), ()) == ()


def test_unchanged_content_is_left_alone_whatever_the_server_s_notation() -> None:
    memory = {"memory": DeviceCapacity(value=Quantity("1024Mi"))}
    wanted = a_pool(gpus(2, capacity=memory, taints=(SICK,)), shared_counters=counter_sets(2, "81920Mi"))
    served = tuple(as_served(found) for found in stored(wanted))
    assert served[0].spec.shared_counters[0].counters["memory"].value.text == "80Gi"
    assert served[1].spec.devices[0].capacity["memory"].value.text == "1Gi"
    assert served[1].spec.devices[0].taints[0].time_added == NOW
    assert difference(desired_slices(wanted), served) == ()


def test_stored_slices_of_generation_zero_are_left_alone_when_nothing_changed() -> None:
    wanted = a_pool(gpus(1))
    (found,) = stored(wanted)
    assert difference(desired_slices(wanted), (of_generation(found, 0),)) == ()


def test_the_only_slice_is_updated_in_place_under_its_generation() -> None:
    (found,) = stored(a_pool(gpus(1)))
    (change,) = difference(desired_slices(a_pool(gpus(2))), (found,))
    assert isinstance(change, Update)
    assert len(change.slice.spec.devices) == 2
    assert change.slice.spec.pool.generation == 1
    assert change.slice.metadata == found.metadata


def test_one_changed_slice_of_many_keeps_the_generation() -> None:
    changes = difference(desired_slices(a_pool(gpus(130))), stored(a_pool(gpus(129))))
    assert (steps(changes), generations(changes)) == (["Update"], [1])


def test_two_changed_slices_rewrite_the_pool_under_the_next_generation() -> None:
    before = stored(a_pool(gpus(300)))
    changes = difference(desired_slices(a_pool(gpus(255) + gpus(45, first=300))), before)
    assert (steps(changes), generations(changes)) == (["Update"] * 3, [2, 2, 2])


def test_a_slice_more_rewrites_the_pool_before_it_is_created() -> None:
    changes = difference(desired_slices(a_pool(gpus(129))), stored(a_pool(gpus(128))))
    assert (steps(changes), generations(changes)) == (["Update", "Create"], [2, 2])


def test_a_slice_less_is_deleted_before_the_one_that_stays_is_updated() -> None:
    before = stored(a_pool(gpus(129)))
    changes = difference(desired_slices(a_pool(gpus(128))), before)
    assert (steps(changes), generations(changes)) == (["Delete", "Update"], [1])
    assert reasons(changes) == {before[1].metadata.name: "index 1 is not wanted"}


def test_a_slice_less_of_three_rewrites_the_other_two() -> None:
    changes = difference(desired_slices(a_pool(gpus(256))), stored(a_pool(gpus(257))))
    assert (steps(changes), generations(changes)) == (["Delete", "Update", "Update"], [2, 2])


def test_a_pool_that_is_not_wanted_loses_all_its_slices() -> None:
    before = stored(a_pool(gpus(129)))
    changes = difference((), before)
    assert steps(changes) == ["Delete", "Delete"]
    assert set(reasons(changes).values()) == {"pool is not wanted"}


def test_a_deletion_names_exactly_the_object_that_was_seen() -> None:
    (found,) = stored(a_pool())
    meta = found.metadata
    assert difference((), (found,)) == (
        Delete(meta.name, meta.uid, meta.resource_version, "pool is not wanted"),
    )


def test_a_slice_that_somebody_deleted_comes_back_under_the_next_generation() -> None:
    wanted = a_pool(gpus(129))
    changes = difference(desired_slices(wanted), stored(wanted)[1:])
    assert (steps(changes), generations(changes)) == (["Update", "Create"], [2, 2])


def test_a_slice_of_an_older_generation_is_replaced() -> None:
    wanted = a_pool(gpus(129))
    first, second = stored(wanted)
    changes = difference(desired_slices(wanted), (first, of_generation(second, 2)))
    assert reasons(changes) == {first.metadata.name: "generation 1 is older than 2"}
    assert (steps(changes), generations(changes)) == (["Delete", "Update", "Create"], [3, 3])


def test_a_slice_with_a_random_name_is_replaced_by_one_with_an_index() -> None:
    wanted = a_pool(gpus(1))
    old = edited(stored(wanted)[0], {"name": "node-a-gpu.nvidia.com-x7k2p"}, pool=_pool(wanted, 7))
    changes = difference(desired_slices(wanted), (old,))
    assert reasons(changes) == {old.metadata.name: "name of another scheme, driver or node"}
    assert (steps(changes), generations(changes)) == (["Delete", "Create"], [8])


def test_of_mixed_names_only_the_random_one_is_replaced() -> None:
    wanted = a_pool(gpus(129))
    first, second = stored(wanted)
    old = edited(second, {"name": "node-a-gpu.nvidia.com-x7k2p"})
    changes = difference(desired_slices(wanted), (old, first))
    assert list(reasons(changes)) == [old.metadata.name]
    assert (steps(changes), generations(changes)) == (["Delete", "Update", "Create"], [2, 2])


@pytest.mark.parametrize("index", ["000000", "0" * 5 + "f" * 20])
def test_an_index_of_another_width_is_replaced(index: str) -> None:
    wanted = a_pool(gpus(1))
    name = f"{f'{index}-gpu.nvidia.com-node-a-'[:58]}x7k2p"
    changes = difference(desired_slices(wanted), (edited(stored(wanted)[0], {"name": name}),))
    assert reasons(changes) == {name: f"index {int(index, 16)} is not wanted"}
    assert steps(changes) == ["Delete", "Create"]


def test_of_two_slices_with_one_index_the_first_by_name_stays_whatever_the_order() -> None:
    wanted = a_pool(gpus(1))
    (found,) = stored(wanted)
    twin = edited(found, {"name": "00000-gpu.nvidia.com-node-a-zzzzz", "uid": "twin"})
    for actual in ((found, twin), (twin, found)):
        changes = difference(desired_slices(wanted), actual)
        assert steps(changes) == ["Delete"]
        assert reasons(changes) == {twin.metadata.name: f"duplicate of {found.metadata.name}"}


@pytest.mark.parametrize(
    "field",
    [{"driver": DriverName("gpu.example.com")}, {"node_name": NodeName("node-b")}, {"node_name": None}],
)
def test_what_cannot_be_changed_in_place_is_replaced(field: dict[str, Any]) -> None:
    wanted = a_pool(gpus(1))
    odd = edited(stored(wanted)[0], **field)
    changes = difference(desired_slices(wanted), (odd,))
    assert set(reasons(changes).values()) == {"driver, pool or node differs, and cannot be changed"}
    assert (steps(changes), generations(changes)) == (["Delete", "Create"], [2])


def test_a_slice_of_another_pool_is_not_turned_into_ours() -> None:
    wanted = a_pool(gpus(1))
    pool = msgspec.structs.replace(_pool(wanted, 1), name=PoolName("node-a/other"))
    assert steps(difference(desired_slices(wanted), (edited(stored(wanted)[0], pool=pool),))) == [
        "Delete",
        "Create",
    ]


def test_a_node_made_again_under_its_name_owns_the_slices_with_its_new_uid() -> None:
    before = stored(a_pool(gpus(1)))
    (change,) = difference(desired_slices(a_pool(gpus(1), uid="uid-of-the-new-node")), before)
    assert isinstance(change, Update)
    assert [owner.uid for owner in change.slice.metadata.owner_references] == ["uid-of-the-new-node"]


def test_labels_and_annotations_of_others_outlive_an_update() -> None:
    theirs = {"labels": {"team": "blue"}, "annotations": {"note": "keep"}, "finalizers": ("theirs",)}
    found = edited(stored(a_pool(gpus(1)))[0], theirs)
    assert difference(desired_slices(a_pool(gpus(1))), (found,)) == ()
    (change,) = difference(desired_slices(a_pool(gpus(2))), (found,))
    assert isinstance(change, Update)
    assert change.slice.metadata == found.metadata


def test_devices_in_another_order_are_a_change() -> None:
    turned = a_pool(gpus(2)[::-1])
    assert steps(difference(desired_slices(turned), stored(a_pool(gpus(2))))) == ["Update"]


def test_a_taint_more_is_an_update_and_so_is_a_taint_less() -> None:
    plain, tainted = a_pool(gpus(1)), a_pool(gpus(1, taints=(SICK,)))
    (added,) = difference(desired_slices(tainted), stored(plain))
    (dropped,) = difference(desired_slices(plain), stored(tainted))
    assert isinstance(added, Update)
    assert isinstance(dropped, Update)
    assert added.slice.spec.devices[0].taints == (SICK,)
    assert dropped.slice.spec.devices[0].taints == ()


def test_a_taint_that_stays_keeps_its_time_when_its_device_changes() -> None:
    began = msgspec.structs.replace(SICK, time_added=BEGAN)
    more = DeviceTaint(key="hot", effect="NoSchedule")
    (change,) = difference(
        desired_slices(a_pool(gpus(1, taints=(more, SICK)))), stored(a_pool(gpus(1, taints=(began,))))
    )
    assert isinstance(change, Update)
    assert change.slice.spec.devices[0].taints == (more, began)


def test_a_taint_keeps_its_time_when_its_device_moves_to_another_slice() -> None:
    began = msgspec.structs.replace(SICK, time_added=BEGAN)
    before = stored(a_pool(gpus(65, taints=(began,))))
    shifted = a_pool((Device(name=DeviceName("gpu-new")), *gpus(65, taints=(SICK,))))
    moved = difference(desired_slices(shifted), before)[1]
    assert isinstance(moved, Update)
    assert [device.taints for device in moved.slice.spec.devices] == [(began,), (began,)]


def test_a_taint_keeps_its_time_when_its_slice_is_replaced() -> None:
    (found,) = stored(a_pool(gpus(1, taints=(msgspec.structs.replace(SICK, time_added=BEGAN),))))
    old = edited(found, {"name": "node-a-gpu.nvidia.com-x7k2p"})
    change = difference(desired_slices(a_pool(gpus(1, taints=(SICK,)))), (old,))[-1]
    assert isinstance(change, Create)
    assert change.slice.spec.devices[0].taints[0].time_added == BEGAN


def test_partitions_are_created_with_their_counters_first() -> None:
    changes = difference(desired_slices(partitioned(1)), ())
    assert steps(changes) == ["Create", "Create"]
    assert isinstance(changes[0], Create)
    assert changes[0].slice.spec.shared_counters == counter_sets(1)


def test_partitions_that_go_take_the_slice_of_their_counters_along() -> None:
    store = SliceStore()
    store.publish(partitioned(1))
    changes = store.publish(a_pool(gpus(1)))
    assert (steps(changes), generations(changes)) == (["Delete", "Update"], [1])
    assert store.slices[0].spec.shared_counters == ()


def test_a_changed_budget_is_an_update_of_the_counters_and_of_what_draws_from_them() -> None:
    changes = difference(desired_slices(partitioned(1, "40Gi")), stored(partitioned(1)))
    assert (steps(changes), generations(changes)) == (["Update", "Update"], [2, 2])


def test_binding_conditions_and_sharing_are_content_like_any_other() -> None:
    before = stored(a_pool(gpus(1)))
    for field in (
        {"binding_conditions": ("ready",), "binding_failure_conditions": ("failed",)},
        {"binds_to_node": True},
        {"allow_multiple_allocations": True},
    ):
        wanted = a_pool(gpus(1, **field))
        assert steps(difference(desired_slices(wanted), before)) == ["Update"]
        assert difference(desired_slices(wanted), stored(wanted)) == ()


def _pool(wanted: PoolWanted, generation: int) -> Any:
    (only,) = desired_slices(wanted)
    return msgspec.structs.replace(only.spec.pool, generation=generation)
