"""`slicewire cel`: what a person who writes a selector sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slicewire.allocator.offline.celcommand import main

CLASS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: "device.driver == 'gpu.nvidia.com'"}}]}
"""


@pytest.fixture
def device(tmp_path: Path) -> str:
    path = tmp_path / "device.json"
    attributes = {"architecture": {"string": "Hopper"}}
    path.write_text(json.dumps({"name": "gpu-0", "driver": "gpu.nvidia.com", "attributes": attributes}))
    return str(path)


def test_a_selector_that_compiles_says_what_it_may_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device.driver == 'a'"]) == 0
    assert capsys.readouterr().out.startswith("compiles; costs at most ")


def test_a_selector_that_does_not_compile_is_shown_with_a_caret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device.nope == 'a'"]) == 1
    message, line, caret = capsys.readouterr().out.splitlines()
    assert "undefined field 'nope'" in message
    assert line[caret.index("^")] == "n"


def test_a_selector_is_evaluated_and_the_false_part_named(
    device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    architecture = "device.attributes['gpu.nvidia.com'].architecture"
    assert main([f"{architecture} == 'Hopper'", "--device", device]) == 0
    assert main([f"device.driver != '' && {architecture} == 'Turing'", "--device", device]) == 0
    assert main(["device.attributes['gpu.nvidia.com'].nope == 1", "--device", device]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "gpu-0: true",
        f"gpu-0: false, because of {architecture} == 'Turing'",
        "gpu-0: selector #0: CEL runtime error: no such key: nope",
    ]


def test_a_class_comes_first(device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "class.yaml"
    path.write_text(CLASS)
    assert main(["--class", str(path), "--device", device]) == 0
    assert capsys.readouterr().out == "gpu-0: true\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: DeviceClass\nspec: {selector: []}", "unknown field `selector`"),
        ("[1, 2]", "no Kubernetes objects"),
        ("{: :", "neither JSON nor YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    text: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert main(["true", "--class", str(path)]) == 2
    assert str(path) in (said := capsys.readouterr().err)
    assert reason in said
