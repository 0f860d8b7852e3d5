"""Whatever the search foresees, it answers what the plainest search does: the same devices or faults."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.solver import Allowance, Solution, solve
from slicewire.common.model import (
    Device,
    DeviceConstraint,
    DeviceTaint,
    ExactDeviceRequest,
    ResourceClaim,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_pool,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    everything,
    exactly,
    first_of,
    requirements,
)
from tests.unit.allocator.plainly import Answer, plainly

LINK, ROOT = f"{DRIVER}/link", f"{DRIVER}/root"


class Gpu(NamedTuple):
    """An empty text: the attribute is missing, and a selector that looks at `kind` fails."""

    kind: str
    link: str
    root: str
    draws: int
    state: str


class Asked(NamedTuple):
    """`number` 0 takes all; `half` asks for half of the memory, so that two may share a device."""

    number: int
    kind: str
    admin: bool
    half: bool = False


class Bond(NamedTuple):
    must_match: bool
    attribute: str
    requests: tuple[str, ...]


class Claim(NamedTuple):
    requests: list[list[Asked]]
    bonds: list[Bond]


GPU = st.builds(
    Gpu,
    st.sampled_from(["a", "a", "b", "b", ""]),
    st.sampled_from(["x", "x", "y", "y", ""]),
    st.sampled_from("pqr"),
    st.integers(0, 2),
    st.sampled_from(["", "", "", "held", "tainted", "shared", "shared"]),
)
ASKED = st.builds(
    Asked,
    st.sampled_from([1, 1, 1, 2, 2, 3, 0]),
    st.sampled_from(["", "", "a", "b"]),
    st.just(False),
    st.booleans(),
)
ADMIN = st.builds(Asked, st.integers(1, 2), st.sampled_from(["", "a"]), st.just(True))
REQUEST = st.one_of(
    ASKED.map(lambda one: [one]), ADMIN.map(lambda one: [one]), st.lists(ASKED, min_size=2, max_size=2)
)
BOND = st.builds(
    Bond, st.booleans(), st.sampled_from([LINK, ROOT]), st.sampled_from([(), ("r0", "r1"), ("r1", "r2")])
)
CLAIM = st.builds(Claim, st.lists(REQUEST, min_size=1, max_size=4), st.lists(BOND, min_size=0, max_size=2))


def device_of(at: int, gpu: Gpu) -> Device:
    make = a_shared_gpu if gpu.state == "shared" else a_gpu
    values = {name: value for name, value in (("kind", gpu.kind), ("link", gpu.link)) if value}
    taints = (DeviceTaint(key="sick", effect="NoSchedule"),) if gpu.state == "tainted" else ()
    draws = {"budget": {"slices": str(gpu.draws)}} if gpu.draws else None
    return make(at, root=gpu.root, taints=taints, draws=draws, **values)  # type: ignore[arg-type]  # attributes by name


def request_of(asked: Asked) -> ExactDeviceRequest:
    selectors = [f'device.attributes["{DRIVER}"].kind == "{asked.kind}"'] if asked.kind else []
    made = exactly(asked.number, *selectors) if asked.number else everything(*selectors)
    capacity = requirements({"memory": "40Gi"}) if asked.half else None
    return msgspec.structs.replace(made, capacity=capacity, admin_access=True if asked.admin else None)


def claim_of(at: int, claim: Claim) -> ResourceClaim:
    made = {
        f"r{number}": request_of(options[0])
        if len(options) == 1
        else first_of(**{f"s{which}": request_of(option) for which, option in enumerate(options)})
        for number, options in enumerate(claim.requests)
    }
    written = a_claim(name=f"claim-{at}", **made)  # type: ignore[arg-type]  # requests by name
    constraints = []
    for bond in claim.bonds:
        names = tuple(name for name in bond.requests if name in made)
        kind = "match_attribute" if bond.must_match else "distinct_attribute"
        constraints.append(DeviceConstraint(requests=names, **{kind: bond.attribute}))
    devices = msgspec.structs.replace(written.spec.devices, constraints=tuple(constraints))
    return msgspec.structs.replace(written, spec=msgspec.structs.replace(written.spec, devices=devices))


def question_of(gpus: list[Gpu], claims: list[Claim]) -> Question:
    devices = [device_of(at, gpu) for at, gpu in enumerate(gpus)]
    held = [device.name for device, gpu in zip(devices, gpus, strict=True) if gpu.state == "held"]
    slice_ = a_slice(devices, sets=[a_counter_set("budget", slices="4")])
    snapshot = a_snapshot(slice_, used={"earlier": held} if held else None)
    demand = read([claim_of(at, claim) for at, claim in enumerate(claims)], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand), demand
    return Question.of(demand, snapshot, NODE, DEFAULT)


def answered(question: Question) -> Answer | Fault | None:
    match solve(question):
        case Solution(picks):
            return tuple((pick.alternative.name, pick.candidate.id) for pick in picks)
        case other:
            return other


@settings(max_examples=100)
@given(st.lists(GPU, min_size=1, max_size=5), st.lists(CLAIM, min_size=1, max_size=2))
def test_the_answer_is_that_of_the_plainest_search(gpus: list[Gpu], claims: list[Claim]) -> None:
    question = question_of(gpus, claims)
    assert answered(question) == plainly(question)


def steps(question: Question) -> int:
    allowance = Allowance()
    left = allowance.left
    solve(question, allowance)
    return left - allowance.left


def asked(gpus: int, claim: ResourceClaim, **values: str) -> Question:
    snapshot = a_snapshot(*a_pool(gpus, **values))
    demand = read([claim], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    return Question.of(demand, snapshot, NODE, DEFAULT)


def test_too_few_devices_of_one_value_are_seen_without_a_search() -> None:
    gpus = [Gpu("a", "x", root, 0, "") for root in "ppqqrr"]
    claim = Claim([[Asked(3, "", admin=False)]], [Bond(must_match=True, attribute=ROOT, requests=())])
    assert steps(question_of(gpus, [claim])) == 0


def test_a_contradiction_between_constraints_is_seen_without_a_search() -> None:
    gpus = [Gpu("a", "x", root, 0, "") for root in "ppqqrr"]
    bonds = [Bond(must_match, ROOT, ("r1", "r2")) for must_match in (True, False)]
    claim = Claim([[Asked(1, "", admin=False)]] * 3, bonds)
    assert steps(question_of(gpus, [claim])) == 0


def test_a_device_that_a_later_request_cannot_do_without_is_left_to_it() -> None:
    needs_first = exactly(1, f'device.attributes["{DRIVER}"].index == 0')
    claim = a_claim(first=exactly(1, "true"), second=exactly(), third=exactly(1, "1 == 1"), last=needs_first)
    assert steps(asked(4, claim)) <= 9


def test_a_fault_is_still_met_where_nothing_could_be_given_anyway() -> None:
    question = question_of([Gpu("", "x", "p", 0, "")], [Claim([[Asked(2, "a", admin=False)]], [])])
    assert isinstance(answered(question), Fault)
