"""`slicewire doctor --node`: what is wrong with a node's folders, sockets, CDI files, driver and lease."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from slicewire.client.doctor import look
from slicewire.client.doctordriver import driver_findings
from slicewire.client.doctorfindings import Finding, Level, ago, counted, named
from slicewire.client.doctorlease import judged, lease_findings
from slicewire.client.doctornode import Places, node_findings, places
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from tests.component.client.command import Slicewire

OURS = "k8s.gpu.nvidia.com-claim_"


@pytest.fixture
def where(tmp_path: Path) -> Places:
    found = Places(
        plugin_dir=tmp_path / "p",
        registry_dir=tmp_path / "r",
        cdi_root=tmp_path / "cdi",
        cdi_others=(tmp_path / "etc-cdi",),
        kubelet_config=tmp_path / "config.yaml",
        cgroups=tmp_path / "cgroup",
    )
    for folder in (found.plugin_dir, found.registry_dir, found.cdi_root):
        folder.mkdir(mode=0o755)
    return found


@contextmanager
def listening(*paths: Path) -> Iterator[None]:
    before = Path.cwd()
    with ExitStack() as opened:
        for path in paths:
            os.chdir(path.parent)  # the path of a socket may not be long
            one = opened.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(path.name)
            one.listen()
        os.chdir(before)
        yield


def served(where: Places) -> tuple[Path, Path]:
    return where.plugin_dir / "dra.sock", where.registry_dir / "gpu.nvidia.com-reg.sock"


def said(found: Sequence[Finding], level: Level) -> str:
    return "\n".join(f"{one.about}: {one.what}" for one in found if one.level is level)


def spec(device: str) -> str:
    return json.dumps({"kind": "k8s.gpu.nvidia.com/claim", "devices": [{"name": device}]})


def test_a_node_that_is_well_has_nothing_but_good_news(where: Places) -> None:
    (where.cdi_root / f"{OURS}uid-1.json").write_text(spec("uid-1-gpu-0"))
    checkpoint = where.plugin_dir / "checkpoint.json"
    checkpoint.write_text('{"claims":{"uid-1":{}}}')
    checkpoint.chmod(0o600)
    where.kubelet_config.write_text("featureGates:\n  DynamicResourceAllocation: true\n")
    with listening(*served(where)):
        found = tuple(node_findings(where, {"uid-1"}))
    assert said(found, Level.WARN) == said(found, Level.ERROR) == ""
    assert "checkpoint: 1 claim" in said(found, Level.OK)


def test_sockets_that_nobody_serves_or_that_are_not_there(where: Places) -> None:
    dra, registration = served(where)
    with listening(dra):
        pass  # it stays, and nobody listens any more
    found = said(tuple(node_findings(where, None)), Level.ERROR)
    assert f"nobody answers at {where.plugin_dir}/dra*.sock" in found
    assert f"there is no gpu.nvidia.com*-reg.sock in {where.registry_dir}" in found
    assert not registration.exists()


def test_a_machine_without_a_kubelet(where: Places) -> None:
    where.registry_dir.rmdir()
    found = tuple(node_findings(where, None))
    assert f"kubelet: there is no {where.registry_dir}" in said(found, Level.WARN)


def test_files_of_claims_that_hold_nothing(where: Places) -> None:
    for uid in ("uid-1", "uid-2"):
        (where.cdi_root / f"{OURS}{uid}.json").write_text(spec(f"{uid}-gpu-0"))
    (where.cdi_root / f"{OURS}hex_2e2e.json").write_text(spec("hex_2e2e-gpu-0"))
    (where.cdi_root / "nvidia.yaml").write_text("kind: nvidia.com/gpu")
    found = said(tuple(node_findings(where, {"uid-1"})), Level.WARN)
    assert f"1 file of claims that hold nothing here: {OURS}uid-2.json" in found
    assert "hold nothing" not in said(tuple(node_findings(where, None)), Level.WARN)


def test_files_that_are_none_of_ours_in_the_place_of_ours(where: Places, tmp_path: Path) -> None:
    os.mkfifo(where.cdi_root / f"{OURS}pipe.json")
    (where.cdi_root / f"{OURS}link.json").symlink_to("/dev/zero")
    (where.cdi_root / f"{OURS}deep.json").write_text("[" * 50_000)
    (where.cdi_root / f"{OURS}cut.json").write_text('{"kind":')
    found = said(tuple(node_findings(where, None)), Level.ERROR)
    assert "4 files of ours cannot be read" in found


def test_one_device_in_two_files(where: Places) -> None:
    where.cdi_others[0].mkdir()
    for path in (where.cdi_root / f"{OURS}uid-1.json", where.cdi_others[0] / "left.json"):
        path.write_text(spec("uid-1-gpu-0"))
    found = said(tuple(node_findings(where, {"uid-1"})), Level.ERROR)
    assert "1 device described twice: k8s.gpu.nvidia.com/claim=uid-1-gpu-0 in" in found


def test_a_folder_that_all_may_write_in_and_a_checkpoint_that_all_may_read(where: Places) -> None:
    where.cdi_root.chmod(0o777)
    checkpoint = where.plugin_dir / "checkpoint.json"
    checkpoint.write_text('{"claims":{}}')
    checkpoint.chmod(0o644)
    found = tuple(node_findings(where, None))
    assert f"{where.cdi_root} may be written by others" in said(found, Level.ERROR)
    assert f"{checkpoint} may be read by others" in said(found, Level.WARN)


def test_a_checkpoint_that_cannot_be_read(where: Places) -> None:
    (where.plugin_dir / "checkpoint.json").write_text("{")
    assert "checkpoint" in said(tuple(node_findings(where, None)), Level.ERROR)


def test_a_checkpoint_is_read_line_by_line(where: Places) -> None:
    checkpoint = where.plugin_dir / "checkpoint.json"
    checkpoint.write_text(
        '{"claims":{"uid-1":{},"uid-2":{}}}\n{"claims":{"uid-1":null,"uid-3":{}}}\n'
        '{"claims":{"uid-2":null}}\n{"claims":{"uid'
    )
    assert "1 claim" in said(tuple(node_findings(where, None)), Level.OK)


def test_a_kubelet_that_was_told_not_to(where: Places) -> None:
    where.kubelet_config.write_text("featureGates:\n  DynamicResourceAllocation: false\n")
    where.cgroups.mkdir()
    found = tuple(node_findings(where, None))
    assert "switches DynamicResourceAllocation off" in said(found, Level.ERROR)
    assert "cgroups of version 1" in said(found, Level.WARN)


def test_the_places_are_those_of_node_preps_settings() -> None:
    found = places(
        {"SLICEWIRE_NODE_PREP_CDI_ROOT": "/x/cdi", "SLICEWIRE_NODE_PREP_DRIVER": "gpu.example.com"}
    )
    assert (found.cdi_root, found.driver) == (Path("/x/cdi"), "gpu.example.com")
    assert found.plugin_dir == Places().plugin_dir


async def test_a_driver_that_is_there_and_one_that_is_not(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    open_nvml(NvmlSettings(room="simulated", state=str(state), gpus=2, node="n")).close()
    environ = {"SLICEWIRE_NODE_PREP_NVML_ROOM": "simulated", "SLICEWIRE_NODE_PREP_NVML_STATE": str(state)}
    there = await driver_findings(environ)
    assert (there[0].level, there[0].what.endswith("2 GPUs")) == (Level.OK, True)
    absent = await driver_findings({"SLICEWIRE_NODE_PREP_NVML_LIBRARY": str(tmp_path / "none.so")})
    assert [one.level for one in absent] == [Level.ERROR]


LEASE = {"holderIdentity": "pub-1", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
RENEWED = 1767225600.0


def lease(**more: object) -> bytes:
    return json.dumps({"spec": {**LEASE, **more}}).encode()


def test_a_lease_that_is_held_run_out_or_nonsense() -> None:
    assert judged(lease(), RENEWED + 5).what == "pub-1 leads, heard 5 s ago"
    assert judged(lease(), RENEWED + 700).what == "nobody leads: pub-1 was heard 11 min ago"
    for wrong in (b"{", b"[]", b'{"spec":null}', lease(renewTime="soon"), lease(leaseDurationSeconds="x")):
        assert judged(wrong, RENEWED).level is Level.ERROR


async def test_a_kubectl_that_finds_no_lease_or_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tmp_path / "kubectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for script, what in (
        ("echo 'Error from server (NotFound): leases' >&2; exit 1", "there is no lease"),
        ("echo 'connection refused' >&2; exit 1", "connection refused"),
        (f"echo '{lease().decode()}'", "pub-1 leads"),
    ):
        kubectl.write_text(f"#!/bin/sh\n{script}\n")
        kubectl.chmod(0o755)
        (found,) = await lease_findings(tmp_path / "config", RENEWED)
        assert what in found.what


async def test_without_a_bus_a_node_is_looked_at_all_the_same() -> None:
    found = await look("nats://127.0.0.1:1", with_bus=False, with_node=True, patience_seconds=0.2)
    assert "could not be asked what claims hold" in said(found, Level.WARN)
    assert {one.about for one in found} >= {"cdi", "checkpoint", "driver"}


@pytest.mark.slow
async def test_the_command_looks_at_a_node(slicewire: Slicewire) -> None:
    ended = await slicewire("doctor", "--node")
    assert ended.status == 1  # no GPU here
    assert "driver" in {one["about"] for one in ended.json if one["level"] == "error"}


def test_words() -> None:
    assert named([str(n) for n in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
    assert (counted(1, "copy", "copies"), counted(2000, "copy", "copies")) == ("1 copy", "2,000 copies")
    assert [ago(seconds) for seconds in (-1, 59, 61, 7300, 90_000)] == ["0 s", "59 s", "1 min", "2 h", "1 d"]
