"""Attributes that a request derives of each device, for the constraints of its claim."""

from __future__ import annotations

import msgspec

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.search import Fault, allocate
from slicewire.common.model import AllocationResult, DerivedAttribute, ExactDeviceRequest, Unsatisfiable
from tests.builders import DRIVER, NODE, a_claim, a_gpu, a_slice, a_snapshot, devices_of, exactly

ON = msgspec.structs.replace(DEFAULT, derived_attributes=True, list_type_attributes=True)
ISLAND = f"{DRIVER}/island"


def deriving(count: int, expression: str, name: str = ISLAND) -> ExactDeviceRequest:
    derived = (DerivedAttribute(name=name, expression=expression),)
    return msgspec.structs.replace(exactly(count), derived_attributes=derived)


def asked(
    count: int, expression: str, *, match: str = ISLAND, features: object = ON, **published: str
) -> tuple[AllocationResult, ...] | Unsatisfiable | Fault:
    slots = enumerate(("a0", "b0", "a1", "b1"))
    gpus = [a_gpu(n, slot=slot, **published) for n, slot in slots]  # type: ignore[arg-type]  # attributes
    claim = a_claim(match=match, gpus=deriving(count, expression))
    return allocate([claim], a_snapshot(a_slice(gpus)), NODE, features)  # type: ignore[arg-type]


SLOT = f'device.attributes["{DRIVER}"].slot'


def test_a_constraint_looks_at_what_the_request_derives() -> None:
    answer = asked(2, f"{SLOT}.charAt(0)")
    assert isinstance(answer, tuple)
    assert devices_of(answer) == ["gpu-0", "gpu-2"]
    assert isinstance(asked(3, f"{SLOT}.charAt(0)"), Unsatisfiable)


def test_a_derived_attribute_shadows_a_published_one() -> None:
    answer = asked(2, f'{SLOT} in ["b0", "a1"]', island="the same for all")
    assert isinstance(answer, tuple)
    assert devices_of(answer) == ["gpu-0", "gpu-3"]


def test_values_may_be_numbers_versions_and_lists() -> None:
    for expression in (
        f'int({SLOT}.replace("a", "").replace("b", ""))',
        f'semver("1.0." + {SLOT}.replace("a", "").replace("b", ""))',
        f'[{SLOT}.replace("a", "").replace("b", "")]',
    ):
        answer = asked(2, expression)
        assert isinstance(answer, tuple), answer
        assert devices_of(answer) == ["gpu-0", "gpu-1"]


def test_what_cannot_be_derived_is_a_fault_that_names_device_and_attribute() -> None:
    failing = asked(2, f'device.attributes["{DRIVER}"].nope')
    assert isinstance(failing, Fault)
    assert f"derived attribute {ISLAND} on device {DRIVER}/node-a/gpu-0: CEL runtime error" in failing.message
    odd = asked(2, "{1: 2}")
    assert isinstance(odd, Fault)
    assert "the value is no attribute" in odd.message
    broken = asked(2, "1 +")
    assert isinstance(broken, Fault)
    assert "CEL compile error" in broken.message


def test_one_that_no_constraint_looks_at_is_a_mistake() -> None:
    answer = asked(2, "1", match=f"{DRIVER}/other")
    assert isinstance(answer, Fault)
    assert answer.message.endswith(f"derived attribute {ISLAND} is used by no constraint")


def test_with_the_feature_off_it_is_refused() -> None:
    answer = asked(2, "1", features=DEFAULT)
    assert isinstance(answer, Fault)
    assert "the DRADerivedAttributes feature is disabled" in answer.message
