"""`slicewire cel`: check a selector, and evaluate it for devices, offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from slicewire.allocator.core.cel import (
    CompileFault,
    Environment,
    EvaluationFault,
    Program,
    compile_selector,
)
from slicewire.common.model import Device, DeviceClass, wire

_NEW = Environment(stored=False)


class Unusable(Exception):
    """A file does not hold what was asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.expression is None and given.device_class is None:
        _parser().error("give an expression, or --class FILE")
    try:
        selectors = [*_selectors_of(given.device_class), *([given.expression] if given.expression else [])]
        devices = tuple(_devices_of(given.device)) if given.device else ()
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run(selectors, devices)


def run(selectors: Sequence[str], devices: Sequence[tuple[str, Device]]) -> int:
    """0: all compile, and evaluate without a fault for every device."""
    programs = []
    for selector in selectors:
        found = compile_selector(selector, _NEW)
        if isinstance(found, CompileFault):
            sys.stdout.write(f"{pointed(selector, found)}\n")
            return 1
        programs.append(found)
    if not devices:
        for program in programs:
            sys.stdout.write(f"compiles; costs at most {program.max_cost} of 1000000\n")
        return 0
    faults = [_show(driver, device, programs) for driver, device in devices]
    return 1 if any(faults) else 0


def _show(driver: str, device: Device, programs: Sequence[Program]) -> bool:
    """Say whether all match, as Kubernetes does: in order, the first that does not decides."""
    for number, program in enumerate(programs):
        found = program.matches(device, driver)
        if isinstance(found, EvaluationFault):
            sys.stdout.write(f"{device.name}: selector #{number}: CEL runtime error: {found.message}\n")
            return True
        if not found:
            part = program.false_part(device, driver) or program.expression
            sys.stdout.write(f"{device.name}: false, because of {part}\n")
            return False
    sys.stdout.write(f"{device.name}: true\n")
    return False


def pointed(expression: str, fault: CompileFault) -> str:
    """The line of the expression, and a caret under the column."""
    lines = expression.splitlines() or [""]
    line = lines[min(fault.line, len(lines)) - 1]
    return f"{fault.message}\n | {line}\n | {' ' * max(fault.column - 1, 0)}^"


def _selectors_of(path: Path | None) -> Iterator[str]:
    for plain in _read(path) if path else ():
        try:
            found = wire.strictly(plain, DeviceClass)
        except wire.Malformed as error:
            raise Unusable(f"{path} is not a DeviceClass: {error}") from error
        yield from (each.cel.expression for each in found.spec.selectors if each.cel)


def _devices_of(path: Path) -> Iterator[tuple[str, Device]]:
    """(driver, device): of a ResourceSlice, of a list of them, or one device with its `driver`."""
    for plain in _read(path):
        for item in plain.get("items", [plain]):
            spec = item.get("spec", {"driver": item.get("driver", ""), "devices": [item]})
            for device in spec.get("devices", ()):
                try:
                    yield spec.get("driver", ""), wire.convert({"name": "device", **device}, Device)
                except wire.Malformed as error:
                    raise Unusable(f"{path} holds no device: {error}") from error


def _read(path: Path) -> list[Mapping[str, Any]]:
    """The documents of a JSON or, where PyYAML is installed, a YAML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: {error}") from error
    documents = _parsed(path, text)
    if not all(isinstance(document, Mapping) for document in documents):
        raise Unusable(f"{path} holds no Kubernetes objects")
    return documents


def _parsed(path: Path, text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError as not_json:
        try:
            import yaml  # noqa: PLC0415 - an extra of this distribution; the service needs none
        except ImportError:
            raise Unusable(f"{path} is not JSON ({not_json}); for YAML, install PyYAML") from not_json
        try:
            return [document for document in yaml.safe_load_all(text) if document is not None]
        except yaml.YAMLError as error:
            raise Unusable(f"{path} is neither JSON nor YAML: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slicewire cel",
        description="Check a CEL device selector as the API server would, and evaluate it for devices.",
        epilog="exit status: 0; 1 if it does not compile or fails on a device; 2 if a file cannot be used",
    )
    parser.add_argument("expression", nargs="?", help="the selector")
    parser.add_argument(
        "--device", type=Path, metavar="FILE", help="a device, a ResourceSlice or a list of them"
    )
    parser.add_argument(
        "--class",
        dest="device_class",
        type=Path,
        metavar="FILE",
        help="a DeviceClass: its selectors come first",
    )
    return parser
