"""Whether claims are sound: what is wrong with them is said before any device is looked at."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.allocator.core.checks import RESULTS_LIMIT
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.requests import Demand, read
from slicewire.common.model import (
    DeviceClaim,
    DeviceClaimConfiguration,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
)
from tests.builders import CLASS, a_claim, a_class, exactly, first_of

CLASSES = {CLASS: a_class()}


def message_for(claim: ResourceClaim, features: Features = DEFAULT) -> str:
    fault = read([claim], CLASSES, features)
    assert isinstance(fault, Fault)
    assert not fault.node_only
    return fault.message


def asking(*requests: DeviceRequest, **parts: object) -> ResourceClaim:
    devices = DeviceClaim(requests=requests, **parts)  # type: ignore[arg-type]  # constraints and config
    return ResourceClaim(metadata=a_claim().metadata, spec=ResourceClaimSpec(devices=devices))


def with_details(**details: object) -> ResourceClaim:
    exact = ExactDeviceRequest(**{"device_class_name": CLASS, **details})  # type: ignore[arg-type]  # its fields
    return asking(DeviceRequest(name="gpus", exactly=exact))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (with_details(device_class_name=""), "missing device class name (unsupported request type?)"),
        (
            with_details(device_class_name="x"),
            "could not retrieve device class x: there is no class of this name",
        ),
        (with_details(allocation_mode="Some"), "unsupported count mode Some"),
        (with_details(count=-1), "count -1 is negative"),
        (with_details(count=2**63), "exact count 9223372036854775808 is too large"),
        (
            asking(DeviceRequest(name="gpus")),
            "has neither exactly nor firstAvailable (unsupported request type?)",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_named_with_what_is_wrong(
    claim: ResourceClaim, message: str
) -> None:
    assert message_for(claim) == f"claim default/train, request gpus: {message}"


def test_a_selector_without_an_expression_is_named_by_its_number() -> None:
    assert (
        message_for(with_details(selectors=(DeviceSelector(),)))
        == "claim default/train, request gpus, selector #0: CEL expression empty (unsupported selector type?)"
    )


@pytest.mark.parametrize(
    ("claim", "features", "message"),
    [
        (a_claim(gpus=exactly(admin=False)), Features(admin_access=False), "admin access is requested"),
        (a_claim(gpus=first_of(a=exactly())), Features(prioritized_list=False), "has subrequests"),
        (a_claim(gpus=exactly(capacity={})), Features(consumable_capacity=False), "has capacity requests"),
        (
            a_claim(gpus=first_of(a=exactly(capacity={}))),
            Features(consumable_capacity=False),
            "subrequest a: has capacity requests",
        ),
    ],
)
def test_a_feature_that_is_off_is_said_to_be_disabled(
    claim: ResourceClaim, features: Features, message: str
) -> None:
    assert message in message_for(claim, features)
    assert "disabled" in message_for(claim, features)
    assert isinstance(read([claim], CLASSES, DEFAULT), Demand)


def test_thirty_two_devices_are_allowed_and_thirty_three_are_not() -> None:
    assert isinstance(read([a_claim(RESULTS_LIMIT)], CLASSES, DEFAULT), Demand)
    assert (
        message_for(a_claim(RESULTS_LIMIT + 1))
        == "claim default/train: number of requested devices 33 exceeds the claim limit of 32"
    )


def test_of_alternatives_the_smallest_counts_against_the_limit() -> None:
    claim = a_claim(a=exactly(31), b=first_of(large=exactly(40), small=exactly(1)))

    assert isinstance(read([claim], CLASSES, DEFAULT), Demand)


def test_the_limit_is_for_each_claim_and_not_for_all_together() -> None:
    claims = [a_claim(RESULTS_LIMIT, name=name) for name in ("a", "b")]

    assert isinstance(read(claims, CLASSES, DEFAULT), Demand)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"constraints": (DeviceConstraint(),)},
            "constraint #0: empty constraint (unsupported constraint type?)",
        ),
        (
            {"constraints": (DeviceConstraint(requests=("gpu",), match_attribute="a/b"),)},
            "constraint #0: there is no request gpu",
        ),
        (
            {"config": (DeviceClaimConfiguration(requests=("gpus/fast",)),)},
            "config #0: there is no request gpus/fast",
        ),
    ],
)
def test_constraints_and_configs_name_requests_that_exist(
    part: dict[str, tuple[object, ...]], message: str
) -> None:
    claim = asking(DeviceRequest(name="gpus", exactly=exactly()), **part)

    assert message_for(claim).removeprefix("claim default/train").lstrip(":, ") == message


def test_a_selector_that_does_not_compile_is_told_only_for_a_claim_that_is_sound_otherwise() -> None:
    assert "CEL compile error" in message_for(a_claim(1, "nonsense"))
    assert "exceeds the claim limit" in message_for(a_claim(500, "nonsense"))


def test_an_annotation_that_names_no_packing_policy_is_refused_wherever_the_claim_is_asked() -> None:
    claim = a_claim()
    meta = msgspec.structs.replace(claim.metadata, annotations={"slicewire.dev/packing": "tightly"})

    assert message_for(msgspec.structs.replace(claim, metadata=meta)) == (
        "claim default/train: annotation slicewire.dev/packing:"
        " 'tightly' is not one of first-fit, pack, spread"
    )
