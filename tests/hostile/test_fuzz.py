"""Every target takes anything: what hypothesis thinks of, and, slower, what atheris finds by itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.targets import TARGETS
from tests.hostile.words import ANY_NAME, BODIES

RUNS, SECONDS = 20_000, 6
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_NAME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_NAME, inner, max_size=3),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())
ANYTHING = st.one_of(
    st.binary(max_size=400), JSON, ANY_NAME.map(lambda name: name.encode("utf-8", "replace"))
)
named = pytest.mark.parametrize("name", TARGETS)


@named
@settings(max_examples=60, deadline=None)
@given(first=st.binary(min_size=2, max_size=2), rest=ANYTHING)
def test_a_target_takes_anything(name: str, first: bytes, rest: bytes) -> None:
    TARGETS[name](first + rest)


@named
def test_a_target_takes_every_bomb(name: str) -> None:
    for body in BODIES.values():
        if name == "documents":
            body = body[:4000]  # noqa: PLW2901 - a YAML parser in Python reads a megabyte in seconds
        for first in range(9):
            TARGETS[name](bytes((first, 0)) + body)


@pytest.mark.slow
@pytest.mark.timeout(180)
@named
def test_atheris_finds_nothing_in_a_target(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: NOT FUZZED; it has wheels for Linux only")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.hostile.fuzz", name),
            *(f"-runs={RUNS}", f"-max_total_time={SECONDS}", "-max_len=2000", "-rss_limit_mb=2048"),
            *("-timeout=60", f"-artifact_prefix={tmp_path}/", "-seed=1"),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr or "Done" in done.stderr, done.stderr[-500:]
