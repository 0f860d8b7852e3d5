"""The container runtime of the tests is as strict as a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet import runtime

NODE = {"path": "/dev/a", "hostPath": "/dev/b"}


def a_spec(name: str = "x", version: str = "0.5.0", **edits: Any) -> dict[str, Any]:
    device = {"name": name, "containerEdits": {"deviceNodes": [NODE]}}
    return {"cdiVersion": version, "kind": "example.com/gpu", "devices": [device], "containerEdits": edits}


def put(folder: Path, file: str, spec: object) -> None:
    (folder / file).write_text(json.dumps(spec))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cdiVersion": "0.9.0"}, "cdiVersion"),
        ({"kind": "gpu"}, "kind"),
        ({"devices": []}, "devices"),
        ({"device": []}, "device"),
        ({"devices": [{"name": "x", "containerEdits": {}}]}, "containerEdits"),
        ({"devices": [{"name": "-x", "containerEdits": {"env": ["A=1"]}}]}, "name"),
        ({"containerEdits": {"env": ["A"]}}, "env"),
        ({"containerEdits": {"hooks": [{"hookName": "later", "path": "/x"}]}}, "hookName"),
        ({"containerEdits": {"mounts": [{"hostPath": "/x"}]}}, "containerPath"),
        ({"containerEdits": {"deviceNodes": [{"path": "/x", "permissions": "x"}]}}, "permissions"),
        ({"cdiVersion": "0.6.0", "containerEdits": {"additionalGids": [1]}}, "0.6.0 is lower"),
        ({"cdiVersion": "0.5.0", "annotations": {"a": "b"}}, "0.5.0 is lower"),
    ],
)
def test_what_a_loader_refuses_is_refused_with_the_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(runtime.BadSpec, match=said):
        runtime.check(a_spec() | change)


def test_edits_of_the_spec_come_once_and_before_those_of_its_devices(tmp_path: Path) -> None:
    spec = a_spec(env=["A=shared"], mounts=[{"hostPath": "/x", "containerPath": "/m/deep"}])
    spec["devices"][0]["containerEdits"] |= {
        "env": ["A=own"],
        "mounts": [{"hostPath": "/x", "containerPath": "/m"}],
    }
    put(tmp_path, "a.json", spec)
    made = runtime.container(["example.com/gpu=x", "example.com/gpu=x"], tmp_path)
    assert made.env == {"A": "own"}
    assert list(made.mounts) == ["/m", "/m/deep"]
    assert list(made.device_nodes) == ["/dev/a"]


def test_an_id_nobody_has_stops_the_container(tmp_path: Path) -> None:
    put(tmp_path, "a.json", a_spec())
    with pytest.raises(runtime.Unresolvable, match=r"unresolvable CDI devices example\.com/gpu=y"):
        runtime.container(["example.com/gpu=x", "example.com/gpu=y"], tmp_path)


def test_a_device_in_two_files_cannot_be_used(tmp_path: Path) -> None:
    put(tmp_path, "a.json", a_spec())
    put(tmp_path, "b.json", a_spec())
    with pytest.raises(runtime.Unresolvable):
        runtime.container(["example.com/gpu=x"], tmp_path)


def test_a_bad_file_costs_only_its_own_devices(tmp_path: Path) -> None:
    put(tmp_path, "a.json", a_spec() | {"unknown": 1})
    put(tmp_path, "b.json", a_spec("y"))
    (tmp_path / "c.json").write_text("{")
    assert runtime.container(["example.com/gpu=y"], tmp_path).device_nodes
    with pytest.raises(runtime.Unresolvable):
        runtime.container(["example.com/gpu=x"], tmp_path)
