"""An answer is found exactly when there is one: every rule together, against a search that looks at all ways.

Counters and constraints are in test_invariants.py; here are selectors, taints, devices in use, shares by
capacity, `All`, alternatives and administrative access, in claims that are allocated together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.search import allocate
from slicewire.common.model import (
    Device,
    DeviceTaint,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    Unsatisfiable,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_gpu,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    everything,
    exactly,
    first_of,
)

TAINT = DeviceTaint(key="sick", effect="NoSchedule")
TOLERATION = DeviceToleration(key="sick", operator="Exists")


class Gpu(NamedTuple):
    kind: str
    memory: int
    tainted: bool
    held: bool
    shared: bool


class Asked(NamedTuple):
    """One alternative. `number` 0 takes all; `kind` "" wants any; `memory` 0 asks for none in particular."""

    number: int
    kind: str
    memory: int
    tolerates: bool
    admin: bool = False


GPU = st.builds(Gpu, st.sampled_from("ab"), st.integers(1, 3), *(st.booleans() for _ in range(3)))
ALTERNATIVE = st.builds(
    Asked,
    st.integers(0, 2),
    st.sampled_from(["", "a", "b"]),
    st.integers(0, 3),
    st.booleans(),
    st.just(False),  # administrative access is not for alternatives
)
ALONE = st.builds(
    Asked, st.integers(1, 2), st.sampled_from(["", "a", "b"]), st.integers(0, 3), st.booleans(), st.booleans()
)
REQUEST = st.one_of(ALONE.map(lambda one: [one]), st.lists(ALTERNATIVE, min_size=1, max_size=2))
CLAIMS = st.lists(st.lists(REQUEST, min_size=1, max_size=2), min_size=1, max_size=2)


def device_of(at: int, gpu: Gpu) -> Device:
    make = a_shared_gpu if gpu.shared else a_gpu
    made = make(at, kind=gpu.kind, taints=(TAINT,) if gpu.tainted else ())
    name = "memory"
    capacity = msgspec.structs.replace(made.capacity[name], value=type(made.capacity[name].value)(gpu.memory))
    return msgspec.structs.replace(made, capacity={name: capacity})


def request_of(asked: Asked) -> ExactDeviceRequest:
    selectors = [f'device.attributes["{DRIVER}"].kind == "{asked.kind}"'] if asked.kind else []
    made = exactly(asked.number, *selectors) if asked.number else everything(*selectors)
    capacity = exactly(capacity={"memory": str(asked.memory)}).capacity if asked.memory else None
    return msgspec.structs.replace(
        made,
        capacity=capacity,
        tolerations=(TOLERATION,) if asked.tolerates else (),
        admin_access=True if asked.admin else None,
    )


def claim_of(at: int, requests: Sequence[Sequence[Asked]]) -> ResourceClaim:
    made = {
        f"r{number}": request_of(options[0])
        if len(options) == 1
        else first_of(**{f"s{which}": request_of(option) for which, option in enumerate(options)})
        for number, options in enumerate(requests)
    }
    return a_claim(name=f"claim-{at}", **made)  # type: ignore[arg-type]  # requests by name


class World(NamedTuple):
    """What has been taken so far: (device, claim) of whole ones, amounts of shared ones."""

    whole: tuple[tuple[int, int], ...] = ()
    shares: tuple[tuple[int, int], ...] = ()


def amount(gpu: Gpu, asked: Asked) -> int:
    """Without a request, all of it."""
    return asked.memory or gpu.memory


def wants(gpu: Gpu, asked: Asked) -> bool:
    return asked.kind in ("", gpu.kind) and amount(gpu, asked) <= gpu.memory


def may_take(at: int, gpus: Sequence[Gpu], asked: Asked, claim: int, world: World) -> bool:
    gpu = gpus[at]
    if gpu.shared:
        in_use = False
        fits = sum(taken for which, taken in world.shares if which == at) + amount(gpu, asked) <= gpu.memory
    else:
        others = [owner for which, owner in world.whole if which == at]
        in_use = claim in others if asked.admin else gpu.held or bool(others)
        fits = True
    return fits and not in_use and (asked.tolerates or not gpu.tainted)


def taken(at: int, gpus: Sequence[Gpu], asked: Asked, claim: int, world: World) -> World:
    if gpus[at].shared:
        return World(world.whole, (*world.shares, (at, amount(gpus[at], asked))))
    return World((*world.whole, (at, claim)), world.shares)


def ways(gpus: Sequence[Gpu], asked: Asked, claim: int, world: World) -> Iterator[World]:
    """Every way to serve one alternative, as what is taken then."""
    wanted = [at for at, gpu in enumerate(gpus) if wants(gpu, asked)]
    choices = combinations(wanted, asked.number) if asked.number else [tuple(wanted)] if wanted else []
    for chosen in choices:
        after: World | None = world
        for at in chosen:
            if after is not None:
                able = may_take(at, gpus, asked, claim, after)
                after = taken(at, gpus, asked, claim, after) if able else None
        if after is not None:
            yield after


def is_feasible(gpus: Sequence[Gpu], claims: Sequence[Sequence[Sequence[Asked]]]) -> bool:
    requests = [(claim, options) for claim, asked in enumerate(claims) for options in asked]

    def serve(number: int, world: World) -> bool:
        if number == len(requests):
            return True
        claim, options = requests[number]
        return any(serve(number + 1, after) for one in options for after in ways(gpus, one, claim, world))

    return serve(0, World())


@settings(max_examples=300)
@given(st.lists(GPU, min_size=1, max_size=4), CLAIMS)
def test_with_every_rule_at_once_an_answer_is_found_exactly_when_there_is_one(
    gpus: list[Gpu], claims: list[list[list[Asked]]]
) -> None:
    gpus = [gpu._replace(held=gpu.held and not gpu.shared) for gpu in gpus]
    devices = [device_of(at, gpu) for at, gpu in enumerate(gpus)]
    held = [device.name for device, gpu in zip(devices, gpus, strict=True) if gpu.held]
    snapshot = a_snapshot(a_slice(devices), used={"earlier": held} if held else None)
    asked = [claim_of(at, requests) for at, requests in enumerate(claims)]

    answer = allocate(asked, snapshot, NODE)

    assert isinstance(answer, tuple | Unsatisfiable), answer
    assert isinstance(answer, tuple) is is_feasible(gpus, claims)
