"""The allocator beside Kubernetes' own: the same inventories and claims, both figures, and the ratio.

    make bench        (inputs: dra-bench, beside the checkout or where SLICEWIRE_BENCH_INPUTS says)

Each figure is the best of several runs with the median beside it. Set-up of the snapshot is not counted
(it is kept and follows changes); everything a claim costs is, from its model to the results.
"""

from __future__ import annotations

import gc
import gzip
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.cel import Environment, Program, compile_selector
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.search import allocate, attempt
from slicewire.allocator.core.snapshot import EMPTY, Holding, NodeView, Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.common.model import (
    AllocationResult,
    CELDeviceSelector,
    ClaimUID,
    Device,
    DeviceClass,
    DeviceRequestAllocationResult,
    DeviceSelector,
    DriverName,
    Node,
    NodeName,
    ResourceClaim,
    ResourceSlice,
    wire,
)

INPUTS = Path(os.environ.get("SLICEWIRE_BENCH_INPUTS", Path(__file__).parents[2] / "shared" / "dra-bench"))
MICRO, MILLI = 1e-6, 1e-3


class Row(msgspec.Struct, frozen=True, kw_only=True):
    case: str
    upstream: float
    """Seconds, as recorded in upstream-figures.txt."""
    target: float
    best: float
    median: float


def load(name: str) -> Any:
    path = INPUTS / name
    return json.loads(gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes())


class Inputs:
    """Inventories and claims, read once."""

    def __init__(self) -> None:
        plain = load("claims.json")
        self.classes = [wire.convert(each, DeviceClass) for each in plain["deviceClasses"]]
        self.claims = {name: wire.convert(each, ResourceClaim) for name, each in plain["claims"].items()}
        self.mig_states = plain["migStates"]
        self._known: dict[str, Snapshot] = {}

    def claim(self, name: str, number: int = 0) -> ResourceClaim:
        found = self.claims[name]
        meta = msgspec.structs.replace(found.metadata, uid=f"{name}-{number}")
        return msgspec.structs.replace(found, metadata=meta)

    def snapshot(self, inventory: str) -> Snapshot:
        if inventory not in self._known:
            self._known[inventory] = self._told(load(f"{inventory}.json.gz"))
        return self._known[inventory]

    def _told(self, plain: Any) -> Snapshot:
        snapshot = EMPTY
        for device_class in self.classes:
            snapshot = snapshot.with_class(device_class)
        for each in plain["nodes"]:
            node = wire.convert(each, Node)
            snapshot = snapshot.with_node(NodeView(NodeName(node.metadata.name), node.metadata.labels))
        told: dict[tuple[NodeName, DriverName], list[ResourceSlice]] = defaultdict(list)
        for each in plain["resourceSlices"]:
            published = wire.convert(each, ResourceSlice)
            told[published.spec.node_name or NodeName(""), published.spec.driver].append(published)
        for (node_name, driver), slices in told.items():
            snapshot = snapshot.with_slices(node_name, driver, tuple(slices))
        return snapshot


def holding(snapshot: Snapshot, devices: Iterable[Any]) -> Snapshot:
    """The snapshot with these devices given away."""
    by_pool: dict[tuple[NodeName, DriverName], list[DeviceRequestAllocationResult]] = defaultdict(list)
    for each in devices:
        result = wire.convert({"request": "earlier", **each}, DeviceRequestAllocationResult)
        by_pool[NodeName(result.pool), result.driver].append(result)
    for (node, driver), results in by_pool.items():
        held = (Holding(ClaimUID("earlier"), "earlier", tuple(results)),)
        snapshot = snapshot.with_holdings(node, driver, held)
    return snapshot


def timed(
    work: Callable[[int], object], runs: int = 7, at_least_seconds: float = 0.05
) -> tuple[float, float]:
    """(best, median) seconds of one call, over several runs of enough calls each; time of this process."""
    work(0)
    begun = time.process_time()
    work(1)
    calls = max(1, int(at_least_seconds / max(time.process_time() - begun, 1e-6)))
    figures = []
    gc.collect()
    gc.disable()
    for _ in range(runs):
        begun = time.process_time()
        for number in range(calls):
            work(number)
        figures.append((time.process_time() - begun) / calls)
    gc.enable()
    return min(figures), statistics.median(figures)


def rows(inputs: Inputs) -> Iterable[Row]:
    yield from one_gpu(inputs)
    yield from packed(inputs)
    yield from partitions(inputs)
    yield from constraints(inputs)
    yield from hard_searches(inputs)
    yield from selectors(inputs)
    yield from changes(inputs)


def _row(case: str, upstream: float, target: float, work: Callable[[int], object]) -> Row:
    best, median = timed(work)
    return Row(case=case, upstream=upstream, target=target, best=best, median=median)


def on_node(inputs: Inputs, snapshot: Snapshot, name: str, node: str = "node-0") -> Callable[[int], object]:
    """The search, as upstream's figures time it; why not is said by a pass of its own."""
    claims = [inputs.claim(name, number) for number in range(64)]

    def work(number: int) -> object:
        demand = read([claims[number % 64]], snapshot.classes, DEFAULT)
        assert isinstance(demand, Demand)
        return attempt(Question.of(demand, snapshot, NodeName(node), DEFAULT), Allowance())

    return work


def on_fleet(inputs: Inputs, snapshot: Snapshot, name: str) -> Callable[[int], object]:
    claims = [inputs.claim(name, number) for number in range(64)]
    nodes = snapshot.nodes
    return lambda number: place([claims[number % 64]], snapshot, nodes)


def never_asked(inputs: Inputs, snapshot: Snapshot, name: str) -> Callable[[int], object]:
    """As on_fleet, but each time with a selector that nobody has seen: compiled, and asked of everybody."""
    claim = inputs.claim(name)
    (request,) = claim.spec.devices.requests
    assert request.exactly is not None
    text = " && ".join(each.cel.expression for each in request.exactly.selectors if each.cel)
    fresh = (asking(claim, f'{text} && device.driver != "{number}.example.com"') for number in count())
    nodes = snapshot.nodes
    return lambda _: place([next(fresh)], snapshot, nodes)


def asking(claim: ResourceClaim, expression: str) -> ResourceClaim:
    """The claim of one request, with this selector alone."""
    (request,) = claim.spec.devices.requests
    assert request.exactly is not None
    selectors = (DeviceSelector(cel=CELDeviceSelector(expression=expression)),)
    asked = replace(request, exactly=replace(request.exactly, selectors=selectors))
    devices = replace(claim.spec.devices, requests=(asked,))
    return replace(claim, spec=replace(claim.spec, devices=devices))


def one_gpu(inputs: Inputs) -> Iterable[Row]:
    for nodes, upstream in ((1000, 290 * MICRO), (5000, 1600 * MICRO)):
        snapshot = inputs.snapshot(f"full-gpus-{nodes}")
        case = f"i one GPU by CEL on one node, fleet of {nodes} x 8"
        yield _row(case, upstream, 40 * MICRO, on_node(inputs, snapshot, "one-gpu-matches"))
    snapshot = inputs.snapshot("full-gpus-1000")
    yield _row(
        "i only the 8th GPU matches", 230 * MICRO, 40 * MICRO, on_node(inputs, snapshot, "one-gpu-last")
    )
    yield _row("i none matches", 220 * MICRO, 40 * MICRO, on_node(inputs, snapshot, "one-gpu-none"))


def packed(inputs: Inputs) -> Iterable[Row]:
    snapshot = holding(inputs.snapshot("full-gpus-5000"), load("allocated-packed90-5000.json.gz"))
    case = "ii 90 % packed, first node that fits, 5000 nodes"
    yield _row(case, 47 * MILLI, 0.5 * MILLI, on_fleet(inputs, snapshot, "one-gpu-matches"))
    work = never_asked(inputs, snapshot, "one-gpu-matches")
    yield _row(f"{case}, never asked before", 47 * MILLI, 2 * MILLI, work)
    snapshot = holding(inputs.snapshot("full-gpus-5000"), load("allocated-random90-5000.json.gz"))
    case = "ii 90 % random, 4 GPUs on one node, 5000 nodes"
    yield _row(case, 13 * MILLI, 0.5 * MILLI, on_fleet(inputs, snapshot, "four-gpus"))
    work = never_asked(inputs, snapshot, "four-gpus")
    yield _row(f"{case}, never asked before", 13 * MILLI, 2 * MILLI, work)


def partitions(inputs: Inputs) -> Iterable[Row]:
    empty = inputs.snapshot("mig-100")
    for state, upstream, target in (
        ("empty", 0.18, 0.1),
        ("last-slot-free", 2.2, 0.2),
        ("full", 2.5, 0.2),
    ):
        snapshot = holding(empty, inputs.mig_states[state])
        case = f"iii one MIG 1g on a node of 8 x 19 partitions, {state}"
        yield _row(case, upstream * MILLI, target * MILLI, on_node(inputs, snapshot, "one-1g"))
    whole = inputs.snapshot("mig-1000")
    full = [{**device, "pool": node} for node in whole.nodes[:-1] for device in inputs.mig_states["full"]] + [
        {**device, "pool": whole.nodes[-1]} for device in inputs.mig_states["last-slot-free"]
    ]
    snapshot = holding(whole, full)
    case, upstream = "iii the same over 1000 nearly full nodes", 2.2 * MILLI * 1000
    yield _row(case, upstream, 5 * MILLI, on_fleet(inputs, snapshot, "one-1g"))
    work = never_asked(inputs, snapshot, "one-1g")
    yield _row(f"{case}, never asked before", upstream, 5 * MILLI, work)


def constraints(inputs: Inputs) -> Iterable[Row]:
    snapshot = inputs.snapshot("full-gpus-100")
    for name, upstream in (("numa", 125), ("interleaved", 213), ("pcieroot-unsat", 288)):
        work = on_node(inputs, snapshot, f"four-gpus-{name}")
        yield _row(f"iv 4 GPUs with matchAttribute: {name}", upstream * MICRO, 80 * MICRO, work)


def hard_searches(inputs: Inputs) -> Iterable[Row]:
    snapshot = inputs.snapshot("full-gpus-100")
    for name, upstream in (("match-unsat", 2.1), ("needle", 33), ("selector-unsat", 209), ("conflict", 297)):
        work = on_node(inputs, snapshot, f"backtrack-{name}")
        yield _row(f"v {name}", upstream * MILLI, 1 * MILLI, work)


def selectors(inputs: Inputs) -> Iterable[Row]:
    name = "one-gpu-matches"
    (request,) = inputs.claims[name].spec.devices.requests
    assert request.exactly is not None
    (selector,) = request.exactly.selectors
    assert selector.cel is not None
    text = selector.cel.expression
    # A text that was not seen before is compiled anew; the comment changes nothing else.
    yield _row(
        "CEL compile", 357 * MICRO, 100 * MICRO, lambda n: compile_selector(f"{text} // {time.time_ns()}{n}")
    )
    program = compile_selector(text, Environment())
    assert isinstance(program, Program)
    devices = _devices(inputs)
    count = len(devices)
    yield _row(
        "CEL evaluate for one device",
        12.6 * MICRO,
        2 * MICRO,
        lambda n: program.matches(devices[n % count], "gpu.nvidia.com"),
    )


def _devices(inputs: Inputs) -> Sequence[Device]:
    snapshot = inputs.snapshot("full-gpus-100")
    return [
        device
        for node in snapshot.nodes
        for published in snapshot.slices(node, DriverName("gpu.nvidia.com"))
        for device in published.spec.devices
    ]


def changes(inputs: Inputs) -> Iterable[Row]:
    """One pool of 5,000 changes: the next snapshot, and the next claim on the node."""
    snapshot = inputs.snapshot("full-gpus-5000")
    driver, node = DriverName("gpu.nvidia.com"), NodeName("node-42")
    (published,) = snapshot.slices(node, driver)
    claim = inputs.claim("one-gpu-matches")

    def change(number: int) -> object:
        pool = msgspec.structs.replace(published.spec.pool, generation=number + 2)
        spec = msgspec.structs.replace(published.spec, pool=pool)
        after = snapshot.with_slices(node, driver, (msgspec.structs.replace(published, spec=spec),))
        return allocate([claim], after, node)

    yield _row("one pool changes, 5000 nodes", 0.0, 1 * MILLI, change)


def differences(inputs: Inputs) -> list[str]:
    """Picks that are not upstream's: on one node, and scanning a fleet node after node."""
    found: list[str] = []
    for name, pick in load("upstream-picks.json.gz").items():
        if name.startswith("scan/"):
            found += _scan_differences(inputs, name, pick)
        elif name.endswith("/incubating") and name.startswith(("mig/", "one-node/")):
            snapshot = inputs.snapshot(pick["inventory"])
            if name.startswith("mig/"):
                snapshot = holding(snapshot, inputs.mig_states[name.split("/")[1]])
            answer = allocate([inputs.claims[pick["claim"]]], snapshot, NodeName(pick["node"]))
            ours = _devices_of(answer) if isinstance(answer, tuple) else None
            theirs = _devices_of(_results(pick["outcome"]["results"]))
            if ours != theirs:
                found.append(f"{name}: {ours}, not {theirs}")
    return found


def _scan_differences(inputs: Inputs, name: str, scans: Any) -> Iterable[str]:
    """`scan/STATE/CLAIM/N=NODES`: from the start node on, round the fleet in the order of its numbers."""
    _, state, claim, size = name.split("/")
    number = size.removeprefix("N=")
    snapshot = holding(inputs.snapshot(f"full-gpus-{number}"), load(f"allocated-{state}-{number}.json.gz"))
    nodes = [NodeName(f"node-{at}") for at in range(int(number))]
    for scan in scans:
        order = (*nodes[scan["start"] :], *nodes[: scan["start"]])
        match place([inputs.claims[claim]], snapshot, order):
            case Placement(node, results):
                ours = (node, _devices_of(results))
            case _:
                ours = (NodeName(""), None)
        theirs = (scan["node"], _devices_of(_results(scan["result"])))
        if ours != theirs:
            yield f"{name} from node-{scan['start']}: {ours}, not {theirs}"


def _results(written: Any) -> tuple[AllocationResult, ...] | None:
    return tuple(wire.convert(each, AllocationResult) for each in written) if written else None


def _devices_of(results: Sequence[AllocationResult] | None) -> list[str] | None:
    return None if results is None else [each.device for r in results for each in r.devices.results]


def _time(seconds: float) -> str:
    return f"{seconds / MICRO:.1f} us" if seconds < MILLI else f"{seconds / MILLI:.2f} ms"


def printed(inputs: Inputs) -> tuple[int, int, list[str]]:
    """The table; how many aims are met, of how many, and the picks that are not upstream's."""
    console = Console(width=None if sys.stdout.isatty() else 130)
    table = Table("case", *("upstream", "ours", "median", "ratio", "target", ""), box=None)
    met = total = 0
    for row in rows(inputs):
        ok = row.best <= row.target
        met, total = met + ok, total + 1
        ratio = f"{row.upstream / row.best:.1f} x" if row.upstream else "-"
        upstream = _time(row.upstream) if row.upstream else "-"
        table.add_row(
            row.case,
            upstream,
            _time(row.best),
            _time(row.median),
            ratio,
            _time(row.target),
            "met" if ok else "missed",
        )
        print(f"{row.case}: {_time(row.best)}", file=sys.stderr)
    console.print(table)
    wrong = differences(inputs)
    print("picks: equal to upstream's" if not wrong else "\n".join(wrong))
    return met, total, wrong


def has_inputs() -> bool:
    """If not, it is said where they were looked for."""
    if not INPUTS.is_dir():
        print(f"the benchmark's inputs are not at {INPUTS}; set SLICEWIRE_BENCH_INPUTS")
        return False
    return True


def main() -> int:
    if not has_inputs():
        return 1
    met, total, wrong = printed(Inputs())
    print(f"targets met: {met} of {total}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
