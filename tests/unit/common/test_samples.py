"""Facts of every version so far are read, and what today's version tells is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slicewire.common.messages import CATALOGUE, SCHEMA_VERSION, Channel, Fact
from slicewire.common.model import wire
from slicewire.common.samples import sample

FOLDER = Path(__file__).parents[2] / "samples"
SAMPLES = sorted(FOLDER.glob("*/*.json"))
KINDS = {channel.kind: channel.fact for channel in CATALOGUE}
WHAT_TO_DO = (
    f"what a fact says has changed since version {SCHEMA_VERSION}: raise the minor of SCHEMA_VERSION in"
    " messages/channels.py and run tools/samples.py"
)


def left_out(old: Any, new: Any, path: str = "$") -> Iterator[str]:
    """Where the new document lacks what the old one says, or says it otherwise."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            yield from left_out(value, new.get(name), f"{path}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from left_out(before, after, f"{path}[{index}]")
    elif old != new:
        yield path


def with_what_is_unknown(value: Any) -> Any:
    """As a later version might tell it: a field more in every object that may have one."""
    match value:
        case msgspec.Struct():
            fields = msgspec.structs.fields(value)
            known = {one.encode_name: with_what_is_unknown(getattr(value, one.name)) for one in fields}
            is_closed = value.__struct_config__.forbid_unknown_fields
            return known if is_closed else {**known, "ofALaterVersion": {"value": [1, None]}}
        case dict():
            return {name: with_what_is_unknown(item) for name, item in value.items()}
        case tuple():
            return [with_what_is_unknown(item) for item in value]
        case _:
            return wire.to_builtins(value)


def structs(value: Any) -> Iterator[msgspec.Struct]:
    """The value and everything inside it."""
    match value:
        case msgspec.Struct():
            yield value
            for name in value.__struct_fields__:
                yield from structs(getattr(value, name))
        case dict():
            for item in value.values():
                yield from structs(item)
        case tuple():
            for item in value:
                yield from structs(item)
        case _:
            return


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_fact_of_an_earlier_version_is_read_and_nothing_of_it_is_lost(path: Path) -> None:
    old = path.read_bytes()
    read = wire.decode(old, KINDS[path.stem])
    lost = list(left_out(json.loads(old), json.loads(wire.encode(read))))
    assert not lost, f"version {path.parent.name} told {lost}, and today's fact lacks it: that needs a v2"


@pytest.mark.parametrize("channel", CATALOGUE, ids=lambda channel: channel.kind)
def test_what_this_version_tells_is_on_record(channel: Channel[Fact]) -> None:
    path = FOLDER / SCHEMA_VERSION / f"{channel.kind}.json"
    assert path.exists(), f"there is no sample of {channel.kind}: run tools/samples.py"
    told = msgspec.json.format(wire.encode(sample(channel.fact)), indent=2) + b"\n"
    assert path.read_bytes() == told, f"{channel.kind}: {WHAT_TO_DO}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_sample_is_told(kind: str) -> None:
    for value in structs(sample(KINDS[kind])):
        silent = [field.name for field in msgspec.structs.fields(value) if is_silent(value, field)]
        assert not silent, f"{type(value).__name__} does not tell {silent}"


def is_silent(value: msgspec.Struct, field: msgspec.structs.FieldInfo) -> bool:
    """Left out on the wire, since it is what it would be without being told."""
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(getattr(value, field.name) == field.default_factory())
    return bool(getattr(value, field.name) == field.default)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_later_version_adds_is_ignored_wherever_it_is(kind: str) -> None:
    fact = sample(KINDS[kind])
    newer = json.dumps(with_what_is_unknown(fact))
    assert "ofALaterVersion" in newer
    assert wire.decode(newer, KINDS[kind]) == fact


def test_the_version_is_that_of_the_subjects() -> None:
    major, _, minor = SCHEMA_VERSION.partition(".")
    assert CATALOGUE[0].subject().startswith(f"slicewire.v{major}.")
    assert minor.isdigit()


def test_a_sample_of_what_cannot_be_made_up_names_the_field() -> None:
    class Odd(Fact, frozen=True):
        when: complex

    with pytest.raises(NotImplementedError, match="field when"):
        sample(Odd)
