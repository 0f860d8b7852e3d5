"""What is one Event, and what is another."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.publisher.core.occurrences import Occurrence, Regarding, event, name_of, namespace_of, series

POD = Regarding("Pod", "v1", "pod-1", "uid-1", "team")
TOLD = Occurrence(POD, "DevicesRefused", "all GPUs are in use", "Warning")


def test_the_same_of_the_same_object_has_one_name() -> None:
    assert name_of(TOLD) == name_of(msgspec.structs.replace(TOLD))
    assert name_of(TOLD).startswith("pod-1.")


@pytest.mark.parametrize(
    "other", [{"note": "no"}, {"reason": "R"}, {"type": "Normal"}, {"action": "Prepare"}]
)
def test_what_says_something_else_is_another_event(other: dict[str, str]) -> None:
    assert name_of(msgspec.structs.replace(TOLD, **other)) != name_of(TOLD)


def test_an_object_made_anew_under_its_name_has_events_of_its_own() -> None:
    anew = msgspec.structs.replace(POD, uid="uid-2")
    assert name_of(msgspec.structs.replace(TOLD, regarding=anew)) != name_of(TOLD)


def test_a_long_name_and_a_long_note_are_cut_to_what_the_server_takes() -> None:
    long = msgspec.structs.replace(
        TOLD, regarding=msgspec.structs.replace(POD, name="p" * 253), note="ä" * 2000
    )
    assert len(name_of(long)) <= 253
    note = event(long, "i" * 200, "now")["note"]
    assert len(note.encode()) <= 1024
    assert note.endswith("…")
    assert len(event(long, "i" * 200, "now")["reportingInstance"]) == 128


def test_events_of_what_has_no_namespace_are_in_default() -> None:
    node = Regarding("Node", "v1", "node-1", "uid-1")
    told = msgspec.structs.replace(TOLD, regarding=node)
    assert namespace_of(told) == "default"
    assert "namespace" not in event(told, "i", "now")["regarding"]


def test_a_count_is_a_series() -> None:
    assert series(3, "now") == {"series": {"count": 3, "lastObservedTime": "now"}}
