"""Kubernetes' own table of allocations: what its structured allocator is expected to answer, and ours does.

The table is not part of this repository; where it is not found beside the checkout, these tests skip.
"""

from __future__ import annotations

import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from slicewire.allocator.offline.simulate import answers
from slicewire.common.model.wire import encode

TABLE = Path(__file__).parents[4] / "shared" / "dra-cases"
CASES = sorted((TABLE / "cases").glob("*.json"))

pytestmark = pytest.mark.skipif(not CASES, reason=f"the table of upstream cases is not at {TABLE}")


def _judge() -> ModuleType:
    spec = util.spec_from_file_location("upstream_judge", TABLE / "judge.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_answer_is_the_expected_one(path: Path) -> None:
    case = json.loads(path.read_text())
    (answer,) = answers([json.dumps({part: case[part] for part in ("name", "features", "input")})])
    plain = json.loads(encode(answer))
    assert _judge().judge(case, plain["results"], plain["error"]) == []
    assert plain["name"] == case["name"]


def test_the_table_is_whole() -> None:
    assert len(CASES) == 223
