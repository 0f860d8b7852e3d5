"""YAML that means harm: refused in a moment, with the document's name, and without the memory it asks for."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.client.documents import BadDocument, groups, read
from tests.hostile.words import ANY_NAME, NAMES, nested

LAUGHS = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{this}: &{this} [{', '.join([f'*{that}'] * 9)}]\n"
    for that, this in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)
CLAIM = "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: x}}\nspec: {}\n"


def test_aliases_that_stand_for_more_than_memory_holds_are_refused() -> None:
    tracemalloc.start()
    begun = time.process_time()
    with pytest.raises(BadDocument, match=r"bomb\.yaml.*aliases.*100000"):
        read(f"kind: ResourceClaim\napiVersion: resource.k8s.io/v1\nspec:\n{_indented(LAUGHS)}", "bomb.yaml")
    assert time.process_time() - begun < 2
    assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "&a {kind: *a}", "kind: ResourceClaim\nspec: &s {devices: *s}"]
)
def test_what_holds_itself_is_refused(text: str) -> None:
    with pytest.raises(BadDocument, match=r"loop\.yaml"):
        read(text, "loop.yaml")


def test_nesting_without_end_is_refused() -> None:
    for text in (nested(1000).decode(), "- " * 600 + "x", CLAIM.format("{" * 600)):
        with pytest.raises(BadDocument, match=r"deep\.yaml"):
            read(text, "deep.yaml")


def test_tags_make_no_object_of_python() -> None:
    for tag in ("!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!evil x"):
        with pytest.raises(BadDocument, match=r"tag\.yaml is not YAML"):
            read(CLAIM.format(tag), "tag.yaml")


def test_an_anchor_that_is_used_as_people_use_it_is_read() -> None:
    text = CLAIM.format(
        "{devices: {requests: [{name: a, exactly: &gpu {deviceClassName: c}}, {name: b, exactly: *gpu}]}}"
    )
    (claim,) = read(text, "fine.yaml").claims
    assert claim.spec.devices.requests[0].exactly == claim.spec.devices.requests[1].exactly


@settings(deadline=None, max_examples=40)
@given(st.one_of(st.text(max_size=300), ANY_NAME, st.binary(max_size=200).map(lambda b: b.decode("latin-1"))))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    for wrapped in (text, CLAIM.format(text), f"kind: Pod\nmetadata: {{name: {text!r}}}\n"):
        with suppress(BadDocument):
            groups(read(wrapped, "any.yaml"))


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]))
def test_any_name_is_taken_as_it_is_or_refused(name: str) -> None:
    import json

    text = f"apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: {json.dumps(name)}}}\n"
    try:
        (claim,) = read(f"{text}spec: {{}}\n", "named.yaml").claims
        assert claim.metadata.name == name
    except BadDocument as refused:
        said = str(refused)
        assert "named.yaml" in said


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
