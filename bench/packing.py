"""What packing is worth: partitions placed on the same arrivals by each policy, and by the best there is.

    make bench-packing

Claims come and go on a node of GPUs that publishes every MIG placement, as NVIDIA's driver does for an
H100. No partition is ever moved. Seeds are fixed, nothing is timed: the same table on every machine.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.packing_node import BY_MEMORY, BY_PROFILE, PROFILES, Node
from bench.packing_optimum import with_foresight, without_foresight
from slicewire.common.model.packing import Packing

HOLD = 10.0
"""How long a claim is held, on the average."""
SEEDS = 8
SHORT_SEEDS = 100
"""Of traces with few claims."""
MIX: Mapping[str, int] = {
    "1g.10gb": 30, "1g.10gb+me": 5, "1g.20gb": 10, "2g.20gb": 20, "3g.40gb": 15, "4g.40gb": 10, "7g.80gb": 10,
}  # fmt: skip
SLOTS = 8
"""Memory slices of a GPU."""


class Event(NamedTuple):
    """A claim comes and asks for this profile, or goes."""

    claim: int
    profile: str | None


class Outcome(NamedTuple):
    placed: float
    """Of the claims."""
    amount: float
    """The same, weighed by memory."""
    large: float
    """Partitions of 3g and more that could be had on a GPU, counted when claims come."""


class Case(NamedTuple):
    name: str
    gpus: int
    events: Callable[[random.Random], Sequence[Event]]
    asks: Mapping[str, str] = BY_PROFILE


def arrivals(
    rng: random.Random, gpus: int, weights: Mapping[str, int], load: float, count: int = 400
) -> Sequence[Event]:
    """Claims come at random and stay for a random time; `load`: memory asked for at once, of all there is."""
    names, shares = list(weights), list(weights.values())
    mean = sum(PROFILES[name].slices * share for name, share in weights.items()) / sum(shares)
    rate = load * gpus * SLOTS / (mean * HOLD)
    moment, found = 0.0, []
    for claim in range(count):
        moment += rng.expovariate(rate)
        (profile,) = rng.choices(names, shares)
        found.append((moment, Event(claim, profile)))
        found.append((moment + rng.expovariate(1 / HOLD), Event(claim, None)))
    return [event for _, event in sorted(found)]


def large_late(rng: random.Random, gpus: int) -> Sequence[Event]:
    """Small ones come first, three for each GPU, a third of them go, and then large ones come."""
    small = [Event(claim, rng.choice(["1g.10gb", "1g.10gb", "2g.20gb"])) for claim in range(gpus * 3)]
    leaving = sorted(rng.sample(range(len(small)), gpus))
    large = rng.choices(["3g.40gb", "4g.40gb"], k=gpus)
    return [
        *small,
        *(Event(claim, None) for claim in leaving),
        *(Event(len(small) + at, profile) for at, profile in enumerate(large)),
    ]


ONE_AND_FOUR = {"1g.10gb": 4, "4g.40gb": 1}


def _steady(name: str, gpus: int, mix: Mapping[str, int], load: float, asks: Mapping[str, str]) -> Case:
    return Case(name, gpus, lambda rng: arrivals(rng, gpus, mix, load), asks)


CASES = (
    _steady("small: 1g", 8, {"1g.10gb": 1}, 0.7, BY_PROFILE),
    _steady("mixed, by profile", 1, MIX, 0.3, BY_PROFILE),
    _steady("mixed, by profile", 8, MIX, 0.7, BY_PROFILE),
    _steady("1g and 4g, by profile", 1, ONE_AND_FOUR, 0.3, BY_PROFILE),
    _steady("1g and 4g, by profile", 8, ONE_AND_FOUR, 0.7, BY_PROFILE),
    Case("large-late, by profile", 1, lambda rng: large_late(rng, 1)),
    Case("large-late, by profile", 4, lambda rng: large_late(rng, 4)),
    _steady("mixed, by memory", 8, MIX, 0.7, BY_MEMORY),
)


def run(case: Case, policy: Packing) -> Outcome:
    seeds = SEEDS if len(case.events(random.Random(0))) > SLOTS * SLOTS else SHORT_SEEDS // case.gpus
    outcomes = [play(case, policy, case.events(random.Random(seed))) for seed in range(seeds)]
    return Outcome(*(sum(part) / len(outcomes) for part in zip(*outcomes, strict=True)))


def play(case: Case, policy: Packing, events: Iterable[Event]) -> Outcome:
    node, large = Node(case.gpus, policy, case.asks), 0
    came: list[str] = []
    placed: list[str] = []
    for event in events:
        if event.profile is None:
            node.release(event.claim)
            continue
        came.append(event.profile)
        if node.place(event.claim, event.profile):
            placed.append(event.profile)
        large += node.large_placeable()
    weight = sum(PROFILES[profile].slices for profile in placed)
    total = sum(PROFILES[profile].slices for profile in came)
    return Outcome(len(placed) / len(came), weight / total, large / len(came) / case.gpus)


def fleets(console: Console) -> list[bool]:
    """The first table: each policy on the same claims. The aim is for packing, over first fit."""
    table = Table(
        "trace",
        "GPUs",
        *("first-fit", "spread", "pack", "of memory", "3g+ per GPU", "more", "aim", ""),
        box=None,
    )
    verdicts = []
    for case in CASES:
        first, spread, pack = (run(case, each) for each in (Packing.FIRST_FIT, Packing.SPREAD, Packing.PACK))
        more = pack.placed / first.placed - 1
        aim = None if case.name.startswith("small") else 0.10
        met = aim is None or more >= aim
        verdicts += [met] if aim is not None else []
        table.add_row(
            case.name,
            str(case.gpus),
            *(f"{each.placed:.1%}" for each in (first, spread, pack)),
            f"{first.amount:.1%} -> {pack.amount:.1%}",
            f"{first.large:.2f} -> {pack.large:.2f}",
            f"{more:+.1%}",
            "-" if aim is None else f"{aim:+.0%}",
            "-" if aim is None else "met" if met else "missed",
        )
    console.print(table)
    return verdicts


def small_cases(console: Console) -> list[bool]:
    """The second: beside the best that there is, with and without knowing who comes and goes next."""
    table = Table("case", *("first-fit", "pack", "optimum", "pack of optimum", "aim", ""), box=None)
    verdicts = []
    for name, mix, load in (
        ("mixed", MIX, 0.3),
        ("mixed", MIX, 0.7),
        ("1g and 4g", ONE_AND_FOUR, 0.3),
        ("1g and 4g", ONE_AND_FOUR, 0.7),
    ):
        shares = without_foresight(mix, load, HOLD)
        verdicts.append(_beside(table, f"1 GPU for ever, {name}, load {load}", shares))
    for gpus, count in ((1, 40), (2, 16)):
        case = Case("", gpus, lambda rng: arrivals(rng, gpus, MIX, 0.5, count))  # noqa: B023 - used at once
        traces = [case.events(random.Random(seed)) for seed in range(12)]
        first, pack = (
            sum(play(case, policy, trace).placed for trace in traces) / len(traces)
            for policy in (Packing.FIRST_FIT, Packing.PACK)
        )
        best = sum(with_foresight(trace, gpus) for trace in traces) / len(traces) / count
        verdicts.append(
            _beside(table, f"{gpus} GPU, mixed, {count} claims known before", (first, pack, best))
        )
    console.print(table)
    return verdicts


def _beside(table: Table, name: str, figures: tuple[float, float, float]) -> bool:
    first, pack, best = figures
    met = pack >= 0.98 * best
    table.add_row(
        name,
        f"{first:.2%}",
        f"{pack:.2%}",
        f"{best:.2%}",
        f"{pack / best:.2%}",
        "98%",
        "met" if met else "missed",
    )
    return met


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 130)
    verdicts = fleets(console)
    console.print()
    verdicts += small_cases(console)
    print(f"targets met: {sum(verdicts)} of {len(verdicts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
