"""Many simulated nodes under one watch: each hears of its own folder, at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import Event, EventKind, NodeFacts
from slicewire.common.nvml.simulated import SimulatedNvml, fleet, watching
from slicewire.common.nvml.simulated.state import BadState, NodeState
from slicewire.common.nvml.simulated.statefile import StateFile

NODES = ("node-a", "node-b", "node-c")


def changed(folder: Path, node: str, change: Callable[[NodeState], NodeState]) -> None:
    StateFile(folder / node / fleet.STATE_FILE).change(change)


def heard(room: SimulatedNvml, until: threading.Event) -> list[Event]:
    """Wait in a thread, as discovery does; the result is there when `until` is set."""
    found: list[Event] = []

    def wait() -> None:
        found.extend(room.wait(20))
        until.set()

    threading.Thread(target=wait, daemon=True).start()
    return found


def test_a_change_wakes_its_own_node_and_no_other(tmp_path: Path) -> None:
    with fleet.rooms(tmp_path, NODES, "h200", 4) as rooms:
        for room in rooms.values():
            room.look()
        over = threading.Event()
        found = heard(rooms["node-b"], over)
        changed(tmp_path, "node-b", lambda state: state.with_xid(1, 79))
        assert over.wait(10), "node-b was never told"
        assert [(event.kind, event.code) for event in found] == [(EventKind.XID, 79)]
        assert rooms["node-a"].wait(0) == ()


def test_nodes_are_made_with_their_gpus_and_are_found_again_as_they_were(tmp_path: Path) -> None:
    with fleet.rooms(tmp_path, NODES, "gb200", 4) as rooms:
        rooms["node-c"].look()
        changed(tmp_path, "node-c", lambda state: state.without_gpu(0))
    with fleet.rooms(tmp_path, NODES, "t4", 1) as rooms:
        seen = {node: room.look() for node, room in rooms.items()}
    counts = {node: len(facts.gpus) for node, facts in seen.items() if isinstance(facts, NodeFacts)}
    assert counts == {"node-a": 4, "node-b": 4, "node-c": 3}
    uuids = [gpu.uuid for facts in seen.values() if isinstance(facts, NodeFacts) for gpu in facts.gpus]
    assert len(set(uuids)) == 11


def test_closing_ends_every_wait(tmp_path: Path) -> None:
    ended = {node: threading.Event() for node in NODES}
    with fleet.rooms(tmp_path, NODES, "h100", 1) as rooms:
        for node, room in rooms.items():
            room.look()
            heard(room, ended[node])
    assert all(end.wait(5) for end in ended.values())


def test_without_inotify_changes_are_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "begin", lambda: None)
    monkeypatch.setattr(fleet, "_SELDOM_SECONDS", 0.01)
    with fleet.rooms(tmp_path, NODES, "h100", 2) as rooms:
        rooms["node-a"].look()
        over = threading.Event()
        found = heard(rooms["node-a"], over)
        changed(tmp_path, "node-a", lambda state: state.without_gpu(1))
        assert over.wait(10)
        assert [event.kind for event in found] == [EventKind.CHANGED]


def test_a_model_that_is_not_known_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadState, match="h900"), fleet.rooms(tmp_path, NODES, "h900", 8):
        pass
    assert list(tmp_path.iterdir()) == []
