"""What is logged stands in the operator's table, at its level, under the names that are always the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("discovery", "allocator", "node-prep", "publisher")
LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "crashed": "ERROR", "debug": "DEBUG"}
OTHERWISE = {
    "uid": "claim_uid",
    "claim_id": "claim_uid",
    "pool": "node and driver",
    "node_name": "node",
    "driver_name": "driver",
    "device_name": "device",
    "why_not": "reason",
    "message": "reason",
    "file": "path",
    "claims": "claim_uids",
}
"""What some would call what is always called otherwise."""


class Line(NamedTuple):
    part: str
    level: str
    event: str
    fields: frozenset[str]
    where: str


def sources() -> Iterator[tuple[str, Path]]:
    for part in PARTS:
        for path in sorted((ROOT / "services" / part / "src").rglob("*.py")):
            yield part, path
    for path in sorted((ROOT / "libs/common/src").rglob("*.py")):
        yield "all", path


def lines() -> Iterator[Line]:
    for part, path in sources():
        tree = ast.parse(path.read_text())
        texts = _texts_by_name(tree)
        for call in ast.walk(tree):
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"), attr=said), args=[text, *_]):
                    fields = frozenset(keyword.arg or "**" for keyword in call.keywords)
                    where = f"{path.relative_to(ROOT)}:{call.lineno}"
                    for event in _events(text, texts):
                        yield Line(part, LEVELS[said], event, fields, where)


def _events(said: ast.expr, texts: dict[str, set[str]]) -> set[str]:
    """The texts an expression may be: said itself, one of two, or by a name for them."""
    match said:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=body, orelse=orelse):
            return _events(body, texts) | _events(orelse, texts)
        case ast.Name(id=name) if name in texts:
            return texts[name]
        case _:
            raise AssertionError(
                f"line {said.lineno}: an event is one of a few texts, not {ast.unparse(said)}"
            )


def _texts_by_name(tree: ast.Module) -> dict[str, set[str]]:
    """What names stand for: assigned, or handed to a function of this module as its first argument."""
    found: dict[str, set[str]] = {}
    functions = {
        node.name: [each.arg for each in node.args.args if each.arg != "self"]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))),
            ):
                found.setdefault(name, set()).update((one, other))
            case ast.Call(
                func=ast.Attribute(attr=called) | ast.Name(id=called),
                args=[ast.Constant(value=str(text)), *_],
            ) if functions.get(called):
                found.setdefault(functions[called][0], set()).add(text)
    return found


def table() -> dict[tuple[str, str], set[str]]:
    """Part and level → events, as docs/operations.md has them; what stands in brackets is for people."""
    text = (ROOT / "docs/operations.md").read_text()
    rows = re.search(r"\| Part \| INFO \| WARNING \| ERROR \|\n\|[- |]+\|\n((?:\|.*\|\n)+)", text)
    assert rows is not None, "docs/operations.md has a table of events"
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows[1].splitlines():
        part, *cells = (cell.strip() for cell in row.strip("|").split(" |"))
        for level, cell in zip(("INFO", "WARNING", "ERROR"), cells, strict=True):
            found[part, level] = {
                re.sub(r" \([^)]*\)$", "", each.strip()) for each in cell.split(";") if each
            }
    return found


LINES = tuple(lines())


def test_the_table_has_every_event_at_its_level_and_no_other() -> None:
    logged: dict[tuple[str, str], set[str]] = {key: set() for key in table()}
    for line in LINES:
        if line.level != "DEBUG":
            logged[line.part, line.level].add(line.event)
    for key, events in table().items():
        assert logged[key] == events, f"{key}: in the code, and in docs/operations.md"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.where)
def test_fields_have_the_names_they_always_have(line: Line) -> None:
    for name in line.fields & OTHERWISE.keys():
        pytest.fail(f"{line.where}: {name} is called {OTHERWISE[name]}")


def test_what_is_not_as_it_should_be_says_why() -> None:
    silent = {
        line.event
        for line in LINES
        if line.level in {"WARNING", "ERROR"} and not line.fields & {"reason", "what", "kind", "**"}
    }
    assert silent == {
        "request failed",
        "look failed",
        "decision failed",
        "claim failed",
        "a look failed",  # with a traceback
        "bus is away",
        "no longer leading",
        "ended by itself, starting it again",
        "claim abandoned by the kubelet: unpreparing it",
        "slices removed: nobody has told of the pool",
        "partition is another's now: left alone",
        "devices are left out",
        "Kubernetes keeps other slices than it was given",
        "Kubernetes serves no version of the device API that we speak",
        "most agents are missing at once: the bus, or all of them",
        "checkpoint of NVIDIA's driver set aside: its claims are taken over as the ledger confirms them",
    }, "the event itself is the reason of these"
