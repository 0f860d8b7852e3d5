"""Cases in, answers out: one line each, and a bad line costs only itself."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from slicewire.allocator.offline.simulate import answers, run
from slicewire.common.model.wire import encode

DRIVER = "gpu.nvidia.com"


def slices(node: str, gpus: int) -> dict[str, Any]:
    devices = [{"name": f"gpu-{n}", "attributes": {"type": {"string": "gpu"}}} for n in range(gpus)]
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    return {
        "metadata": {"name": f"slice-{node}"},
        "spec": {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": devices},
    }


def claim(name: str, count: int = 1) -> dict[str, Any]:
    exactly = {"deviceClassName": "any", "count": count}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
    }


def case(**changes: Any) -> dict[str, Any]:
    given = {
        "node": {"metadata": {"name": "n1"}},
        "claims": [claim("c")],
        "deviceClasses": [{"metadata": {"name": "any"}}],
        "resourceSlices": [slices("n1", 2), slices("n2", 4)],
        **changes,
    }
    return {"name": "a case", "input": {key: value for key, value in given.items() if value is not None}}


def asked(*lines: Any) -> list[Any]:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return [json.loads(encode(answer)) for answer in answers(texts)]


def test_a_case_that_fits_names_the_devices() -> None:
    (answer,) = asked(case())
    assert (answer["name"], answer["error"]) == ("a case", None)
    (result,) = answer["results"]
    assert result["devices"]["results"][0]["device"] == "gpu-0"


def taint_rule(**selector: str) -> dict[str, Any]:
    taint = {"key": "example.com/fan", "effect": "NoSchedule"}
    return {"metadata": {"name": "fans"}, "spec": {"deviceSelector": selector, "taint": taint}}


def test_taint_rules_count_as_if_the_devices_had_their_taints() -> None:
    one, all_of_them = taint_rule(pool="n1", device="gpu-0"), taint_rule(driver=DRIVER)
    (answer, refused) = asked(case(deviceTaintRules=[one]), case(node=None, deviceTaintRules=[all_of_them]))
    assert answer["results"][0]["devices"]["results"][0]["device"] == "gpu-1"
    assert refused["results"] == [None]


def test_a_taint_rule_with_a_selector_that_we_do_not_know_is_refused_and_named() -> None:
    (answer,) = asked(case(deviceTaintRules=[taint_rule(deviceClassName="any")]))
    assert "line 1" in answer["error"]
    assert "deviceClassName" in answer["error"]
    assert "deviceTaintRules[0].spec.deviceSelector" in answer["error"]


def test_a_case_that_does_not_fit_is_null_without_an_error() -> None:
    assert asked(case(claims=[claim("c", 3)])) == [{"name": "a case", "results": None, "error": None}]


def test_a_wrong_claim_is_an_error() -> None:
    (answer,) = asked(case(deviceClasses=[]))
    assert answer["results"] is None
    assert "could not retrieve device class any" in answer["error"]


def test_held_devices_are_not_given_again() -> None:
    held = [{"driver": DRIVER, "pool": "n1", "device": "gpu-0"}]
    (answer,) = asked(case(allocatedState={"allocatedDevices": held}))
    assert answer["results"][0]["devices"]["results"][0]["device"] == "gpu-1"


def test_without_a_node_each_claim_goes_where_it_fits_beside_those_before_it() -> None:
    claims = [claim("a", 2), claim("b", 3), claim("c", 3)]
    (answer,) = asked(case(node=None, claims=claims))
    assert answer["nodes"] == ["n1", "n2", None]
    assert answer["results"][2] is None
    assert "3 devices" in answer["refusals"][2]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 1"),
        ("[]", "line 1"),
        ('{"name": "x"}', "missing required field `input`"),
        (json.dumps({**case(), "features": {"Nope": True}}), "features: 'Nope' is not one of"),
        (json.dumps(case(claims=[{"spec": 3}])), "$.input.claims[0].spec"),
        ("[" * 100_000, "line 1"),
        ('{"op": "cel", "expression": "true", "envType": "old"}', "envType: 'old'"),
    ],
)
def test_a_bad_line_gets_an_error_line_and_the_rest_goes_on(line: str, reason: str) -> None:
    bad, good = asked(line, case())
    assert bad["results"] is None
    assert reason in bad["error"]
    assert good["results"]


def test_a_line_may_evaluate_a_selector() -> None:
    device = {"driver": DRIVER, "attributes": {"index": {"int": 3}}}
    line = {"op": "cel", "device": device}
    index = f'device.attributes["{DRIVER}"].index'
    assert asked(
        {**line, "expression": f"{index} == 3"},
        {**line, "expression": f"{index} == 4"},
        {**line, "expression": f'device.attributes["{DRIVER}"].nope == 4'},
    ) == [
        {"matches": True, "error": None, "compileError": None},
        {"matches": False, "error": None, "compileError": None},
        {"matches": None, "error": "no such key: nope", "compileError": None},
    ]
    (refused,) = asked({**line, "expression": "1 +"})
    assert refused["compileError"]


def test_a_run_over_files_exits_1_if_a_line_was_bad(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps(case()) + "\n\n")
    bad.write_text("{\n")
    out = io.StringIO()
    assert run([good], out) == 0
    assert run([good, bad], out) == 1
    assert len(out.getvalue().splitlines()) == 3
