"""`slicewire simulate`: JSON lines in, JSON lines out; no bus, no cluster.

A line is a case (`offline.cases`) and is answered `{"name", "results", "error"}`; a case without a
node is answered for the fleet, with the node of each claim beside it. Its `input` may have
`deviceTaintRules` too, whose taints count as if the devices had them. A line with `"op": "cel"` is
answered `{"matches", "error", "compileError"}`. A bad line gets an error line, and the rest goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, assert_never

import msgspec

from slicewire.allocator.core.cel import CompileFault, Environment, EvaluationFault, compile_selector
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.search import Fault, allocate
from slicewire.allocator.core.snapshot import Holding, Snapshot
from slicewire.allocator.offline.cases import Case, features_of, fleet_of, snapshot_of
from slicewire.common.model import (
    AllocationResult,
    Device,
    DriverName,
    NodeName,
    ResourceClaim,
    Unsatisfiable,
    wire,
)
from slicewire.common.model.struct import Object

Answer = Mapping[str, Any]


class CelLine(Object, frozen=True):
    """One evaluation of a selector for one device."""

    expression: str
    op: str = "cel"
    device: Mapping[str, Any] = msgspec.field(default_factory=dict)
    env_type: str = "stored"
    enable_consumable_capacity: bool = False
    enable_list_type_attributes: bool = False
    cost_limit: int | None = None


DEFAULT_COST_LIMIT = 1_000_000
"""What Kubernetes allows one selector on one device."""


def answers(lines: Iterable[str]) -> Iterator[Answer]:
    """One for each line that is not blank, in order."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _answer(line, number)


def _answer(line: str, number: int) -> Answer:
    name = None
    try:
        plain = wire.decode(line, dict[str, Any])
        name = plain.get("name")
        if plain.get("op") == "cel":
            return evaluate(wire.convert(plain, CelLine))
        return decide(wire.convert(plain, Case))
    except wire.Malformed as error:
        return {"name": name, "results": None, "error": f"line {number}: {error}"}
    except RecursionError:
        return {"name": name, "results": None, "error": f"line {number}: nested too deep"}


def decide(case: Case) -> Answer:
    """The answer to a case. Raises `wire.Malformed`."""
    features, snapshot = features_of(case), snapshot_of(case)
    if case.input.node is None:
        return {"name": case.name, **_on_the_fleet(case, snapshot, features)}
    node = NodeName(case.input.node.metadata.name)
    match allocate(case.input.claims, snapshot, node, features):
        case Fault(message):
            return {"name": case.name, "results": None, "error": message}
        case Unsatisfiable():
            return {"name": case.name, "results": None, "error": None}
        case results:
            return {"name": case.name, "results": results, "error": None}


def _on_the_fleet(case: Case, snapshot: Snapshot, features: Features) -> Answer:
    """Claim after claim, each seeing what those before it hold: where it goes, or why nowhere."""
    nodes = fleet_of(snapshot)
    results: list[AllocationResult | None] = []
    where: list[str | None] = []
    reasons: list[str | None] = []
    for claim in case.input.claims:
        match place([claim], snapshot, nodes, features):
            case Placement(node, (result,)):
                snapshot = _holding(snapshot, node, claim, result)
                results.append(result)
                where.append(node)
                reasons.append(None)
            case Placement() as placement:
                raise AssertionError(f"one claim, {len(placement.results)} results")
            case Unsatisfiable(message):
                results.append(None)
                where.append(None)
                reasons.append(message)
            case never:
                assert_never(never)
    return {"results": results, "error": None, "nodes": where, "refusals": reasons}


def _holding(snapshot: Snapshot, node: NodeName, claim: ResourceClaim, result: AllocationResult) -> Snapshot:
    drivers: dict[DriverName, list[Any]] = {}
    for given in result.devices.results:
        drivers.setdefault(given.driver, []).append(given)
    for driver, results in drivers.items():
        holding = Holding(claim.uid, claim.label, tuple(results))
        snapshot = snapshot.with_holdings(node, driver, (*snapshot.holdings(node, driver), holding))
    return snapshot


def evaluate(line: CelLine) -> Answer:
    """Does the selector match the device? Raises `wire.Malformed`."""
    if line.env_type not in ("stored", "new"):
        raise wire.Malformed(f"envType: {line.env_type!r} is not stored or new")
    environment = Environment(
        consumable_capacity=line.enable_consumable_capacity,
        list_attributes=line.enable_list_type_attributes,
        stored=line.env_type == "stored",
    )
    program = compile_selector(line.expression, environment)
    if isinstance(program, CompileFault):
        return {"matches": None, "error": None, "compileError": program.message}
    driver = line.device.get("driver", "")
    device = wire.convert({"name": "device", **line.device}, Device)
    limit = DEFAULT_COST_LIMIT if line.cost_limit is None else line.cost_limit
    found = program.matches(device, driver, limit)
    if isinstance(found, EvaluationFault):
        return {"matches": None, "error": found.message, "compileError": None}
    return {"matches": found, "error": None, "compileError": None}


def run(files: Sequence[Path], out: TextIO) -> int:
    """Answer every line of the files, or of standard input. Exits 1 if a line was bad."""
    bad = False
    for lines in (path.open(encoding="utf-8") for path in files) if files else (sys.stdin,):
        with lines:
            for answer in answers(lines):
                bad = bad or str(answer.get("error") or "").startswith("line ")
                out.write(f"{wire.encode(answer).decode()}\n")
                out.flush()
    return 1 if bad else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="slicewire simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0, or 1 if a line could not be read",
    )
    parser.add_argument("files", nargs="*", type=Path, help="JSON lines; standard input if none is given")
    given = parser.parse_args(arguments)
    for path in given.files:
        if not path.is_file():
            parser.error(f"{path} is not a file")
    return run(given.files, sys.stdout)
