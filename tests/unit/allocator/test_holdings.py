"""What claims hold, and what is in use because of it."""

from __future__ import annotations

from slicewire.allocator.core.holdings import Shared, usage_of
from slicewire.common.model import Quantity
from tests.builders import a_gpu, a_holding, a_slice

POOL = a_slice([a_gpu(0), a_gpu(1)])


def test_a_whole_device_is_in_use_by_the_first_claim_that_holds_it() -> None:
    usage = usage_of([a_holding("a", POOL, "gpu-0"), a_holding("b", POOL, "gpu-0", "gpu-1")])

    assert usage.dedicated == {"gpu-0": "default/a", "gpu-1": "default/b"}
    assert usage.shared == {}


def test_shares_of_a_device_add_up() -> None:
    shares = [
        a_holding(claim, POOL, "gpu-0", share_id=claim, consumed_capacity={"memory": Quantity(amount)})
        for claim, amount in (("a", "500m"), ("b", "2"))
    ]

    usage = usage_of(shares)

    assert usage.dedicated == {}
    assert usage.shared == {"gpu-0": Shared(("default/a", "default/b"), {"memory": Quantity("2500m").value})}


def test_a_share_without_capacity_is_a_share_all_the_same() -> None:
    assert usage_of([a_holding("a", POOL, "gpu-0", share_id="x")]).shared == {
        "gpu-0": Shared(("default/a",), {})
    }


def test_admin_access_uses_nothing() -> None:
    usage = usage_of([a_holding("a", POOL, "gpu-0", admin_access=True)])

    assert (usage.dedicated, usage.shared) == ({}, {})
