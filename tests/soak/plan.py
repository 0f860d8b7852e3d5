"""What a run does, from its seed alone: the same seed gives the same operations and faults, always.

When each of them happens is up to the machine. Every lane is one user, or one part of the system,
that does one thing after the other; lanes run beside each other and share no claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, TypeVar

import msgspec

from slicewire.common.messages import KUBE_SCHEDULER, SLICEWIRE, PoolObserved
from slicewire.common.model import AllocationResult, ClaimUID, NodeName, ResourceClaim, wire
from tests.soak import fleet


class Ask(msgspec.Struct, frozen=True):
    """Ask for these together over the bus; `twice` sends the question once more at the same time."""

    claims: tuple[ResourceClaim, ...]
    twice: bool


class Release(msgspec.Struct, frozen=True):
    uid: ClaimUID


class Show(msgspec.Struct, frozen=True):
    """Kubernetes shows these claims as they are, for the first time or again."""

    claims: tuple[ResourceClaim, ...]
    decided_by: str = SLICEWIRE
    together: tuple[ClaimUID, ...] = ()


class Confirm(msgspec.Struct, frozen=True):
    """Kubernetes shows the allocation that Slicewire has answered, if it has."""

    claim: ResourceClaim
    together: tuple[ClaimUID, ...]


class GiveBack(msgspec.Struct, frozen=True):
    """Kubernetes shows the claim without its allocation."""

    claim: ResourceClaim
    decided_by: str
    together: tuple[ClaimUID, ...]


class End(msgspec.Struct, frozen=True):
    """Kubernetes has the claim no more."""

    uid: ClaimUID


class Observe(msgspec.Struct, frozen=True):
    """Discovery sees a pool; None: the node is gone."""

    key: fleet.PoolKey
    pool: PoolObserved | None


class Assign(msgspec.Struct, frozen=True):
    """Who allocates the pools of a node."""

    node: NodeName
    allocation: str


class Fault(msgspec.Struct, frozen=True):
    """`what` happens to allocator `target`, or to the server, for `seconds`."""

    what: str
    after_seconds: float
    seconds: float = 0.0
    target: int = 0


Operation = Ask | Release | Show | Confirm | GiveBack | End | Observe | Assign
T = TypeVar("T")
FAULTS = ("kill allocator", "pause allocator", "kill server", "pause server", "slow disk")
_WEIGHTS = (4, 6, 1, 2, 2)
_MOST_LIVE = 7
"""Claims that one lane keeps at most."""


def faults(seed: int, allocators: int) -> Iterator[Fault]:
    """Each kind once to begin with, so that a short run has them all."""
    rng = Random(f"{seed}/faults")
    first = rng.sample(FAULTS, len(FAULTS))
    while True:
        what = first.pop() if first else rng.choices(FAULTS, _WEIGHTS)[0]
        longest = {"pause allocator": 8.0, "pause server": 2.0, "slow disk": 5.0}.get(what, 0.0)
        seconds = round(rng.uniform(longest / 4, longest), 2)
        yield Fault(what, round(rng.uniform(0.5, 3.0), 2), seconds, rng.randrange(allocators))


def inventory(seed: int) -> Iterator[Operation]:
    """What discovery and the publisher tell of nodes."""
    rng = Random(f"{seed}/inventory")
    whole = fleet.pools()
    now = dict(whole)
    gone: set[fleet.PoolKey] = set()
    while True:
        key = rng.choice(sorted(whole))
        if rng.random() < 0.1:
            yield Assign(key[0], rng.choice([KUBE_SCHEDULER, SLICEWIRE, SLICEWIRE]))
        elif key not in gone and rng.random() < 0.1:
            gone.add(key)
            yield Observe(key, None)
        else:
            gone.discard(key)
            now[key] = fleet.changed(now[key], whole[key], rng)
            yield Observe(key, now[key])


def over_the_bus(seed: int, lane: int) -> Iterator[Operation]:
    """A user without Kubernetes."""
    rng = Random(f"{seed}/bus/{lane}")
    live: list[ResourceClaim] = []
    number = 0
    while True:
        action = rng.random()
        if live and (len(live) >= _MOST_LIVE or action < 0.4):
            yield Release(_taken(rng, live).uid)
        elif live and action < 0.5:
            yield Ask((rng.choice(live),), twice=False)  # as a client does that lost the answer
        else:
            group = 1 if rng.random() < 0.7 else rng.randint(2, 4)
            claims = tuple(_claim(rng, f"b{lane}-{number + member}") for member in range(group))
            number += group
            live += claims
            yield Ask(claims, twice=rng.random() < 0.2)


class _Shown(msgspec.Struct):
    """A claim as the publisher has last told it."""

    claim: ResourceClaim
    decided_by: str = SLICEWIRE
    together: tuple[ClaimUID, ...] = ()


def through_kubernetes(seed: int, lane: int) -> Iterator[Operation]:
    """What the publisher tells of claims: ours, and those of kube-scheduler."""
    rng = Random(f"{seed}/kubernetes/{lane}")
    whole = fleet.pools()
    live: list[_Shown] = []
    number = 0
    while True:
        action = rng.random()
        if live and (len(live) >= _MOST_LIVE or action < 0.3):
            yield End(_taken(rng, live).claim.uid)
        elif live and action < 0.6:
            yield _on(rng, rng.choice(live))
        elif action < 0.75:
            claim = _of_kubernetes(_claim(rng, f"f{lane}-{number}"), fleet.some_devices(rng, whole))
            number += 1
            live.append(_Shown(claim, KUBE_SCHEDULER))
            yield Show((claim,), KUBE_SCHEDULER)
        else:
            group = 1 if rng.random() < 0.7 else rng.randint(2, 3)
            claims = tuple(
                _of_kubernetes(_claim(rng, f"k{lane}-{number + member}")) for member in range(group)
            )
            number += group
            together = tuple(claim.uid for claim in claims) if group > 1 else ()
            live += [_Shown(claim, together=together) for claim in claims]
            yield Show(claims, together=together)


def _on(rng: Random, known: _Shown) -> Operation:
    """Something more about a claim that is known."""
    action = rng.random()
    if action < 0.2:
        return Show((known.claim,), known.decided_by, known.together)
    if known.decided_by == KUBE_SCHEDULER or action < 0.4:
        return GiveBack(_of_kubernetes(known.claim), known.decided_by, known.together)
    return Confirm(known.claim, known.together)


def _taken(rng: Random, live: list[T]) -> T:
    return live.pop(rng.randrange(len(live)))


def _claim(rng: Random, name: str) -> ResourceClaim:
    requests = rng.choice(_REQUESTS)(rng)
    return wire.strictly(
        {
            "metadata": {"name": name, "namespace": "soak", "uid": name},
            "spec": {"devices": {"requests": requests}},
        },
        ResourceClaim,
    )


def _of_kubernetes(claim: ResourceClaim, results: list[dict[str, Any]] | None = None) -> ResourceClaim:
    """As the API server has it, with an allocation of another scheduler's if there are results."""
    meta = msgspec.structs.replace(claim.metadata, creation_timestamp="2026-01-01T00:00:00Z")
    allocation = wire.convert({"devices": {"results": results}}, AllocationResult) if results else None
    status = msgspec.structs.replace(claim.status, allocation=allocation)
    return msgspec.structs.replace(claim, metadata=meta, status=status)


def _exactly(name: str, device_class: str, **details: Any) -> dict[str, Any]:
    return {"name": name, "exactly": {"deviceClassName": device_class, **details}}


def _whole(rng: Random) -> list[dict[str, Any]]:
    return [_exactly("gpu", fleet.WHOLE, count=rng.choice([1, 1, 2, 3]))]


def _whole_with_card(rng: Random) -> list[dict[str, Any]]:
    """From two pools, so that two ledgers are written at once."""
    return [_exactly("gpu", fleet.WHOLE, count=rng.choice([1, 2])), _exactly("nic", fleet.CARD)]


def _partition(rng: Random) -> list[dict[str, Any]]:
    slices = rng.choice([2, 2, 4, 8])
    expression = f"device.capacity['{fleet.GPU}'].slices.compareTo(quantity('{slices}')) == 0"
    return [_exactly("part", fleet.PARTITION, selectors=[{"cel": {"expression": expression}}])]


def _share(rng: Random) -> list[dict[str, Any]]:
    memory = rng.choice(["10Gi", "20Gi", "30Gi", "55Gi"])
    return [_exactly("share", fleet.SHARE, capacity={"requests": {"memory": memory}})]


def _look(rng: Random) -> list[dict[str, Any]]:
    """Admin access: looks at devices that others hold."""
    return [_exactly("look", fleet.WHOLE, adminAccess=True)]


_REQUESTS = (_whole, _whole, _whole_with_card, _partition, _partition, _share, _share, _look)
