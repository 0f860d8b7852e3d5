"""What is measured, and how Prometheus reads it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slicewire.common.metrics import OTHER, Counter, Gauge, Histogram, Instrument, Label, exposed

COLOUR = Label("colour", ("red", "green"))
Series = dict[tuple[str, ...], float]


def series(instrument: Instrument) -> Series:
    """By sample name and the values of its own labels, as Prometheus' parser has them."""
    text, _ = exposed([instrument], {"part": "tested"})
    return {
        (
            sample.name,
            *(sample.labels[name] for name in sorted(sample.labels) if name != "part"),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith(instrument.metric.name.removesuffix("_total"))
    }


def test_a_counter_begins_at_nothing_and_goes_up() -> None:
    looks = Counter("slicewire_looks_total", "Looks")
    assert series(looks) == {("slicewire_looks_total",): 0}
    looks.add()
    looks.add(by=2)
    assert series(looks) == {("slicewire_looks_total",): 3}


def test_each_label_value_is_counted_apart_from_nothing_on() -> None:
    balls = Counter("slicewire_balls_total", "Balls", COLOUR)
    assert set(series(balls).values()) == {0}
    balls.add("red")
    balls.add("green", by=2)
    name = "slicewire_balls_total"
    assert series(balls) == {(name, "red"): 1, (name, "green"): 2}


def test_a_value_that_is_not_in_the_list_is_other_however_many_there_are() -> None:
    balls = Counter("slicewire_balls_total", "Balls", COLOUR)
    for number in range(1000):
        balls.add(f"claim-{number}")
    assert balls.value(OTHER) == 1000
    assert len(balls.samples()) == 3


def test_values_that_do_not_fit_the_labels_are_a_bug() -> None:
    with pytest.raises(AssertionError, match=r"slicewire_balls_total has \('colour',\), not \(\)"):
        Counter("slicewire_balls_total", "Balls", COLOUR).add()


def test_nothing_is_lost_when_many_threads_count() -> None:
    balls, took = Counter("slicewire_balls_total", "Balls", COLOUR), Histogram("slicewire_seconds", "Took")

    def count() -> None:
        for _ in range(2000):
            balls.add("red")
            took.observe(0.1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (balls.value("red"), took.count()) == (8000, 8000)


def test_a_gauge_is_what_whoever_knows_it_says_while_it_is_shown() -> None:
    waiting = Gauge("slicewire_waiting", "Waiting")
    queue = ["a"]
    with waiting.shown(lambda: [((), len(queue))]):
        assert waiting.samples() == [((), 1)]
        queue.append("b")
        assert waiting.samples() == [((), 2)]
    assert waiting.samples() == []


def test_several_who_know_of_the_same_are_taken_together() -> None:
    ready = Gauge("slicewire_ready", "Ready", together=min, otherwise=0)
    assert ready.samples() == [((), 0)]
    with ready.shown(lambda: [((), 1)]), ready.shown(lambda: [((), 0)]):
        assert ready.samples() == [((), 0)]
    with ready.shown(lambda: [((), 1)]):
        assert ready.samples() == [((), 1)]


def test_a_gauge_counts_what_is_under_way() -> None:
    asked = Gauge("slicewire_inflight", "Under way", COLOUR)
    with asked.counting("red"), asked.counting("red"):
        assert asked.samples() == [(("red",), 2)]
    assert asked.samples() == [(("red",), 0)]


def test_a_histogram_says_how_many_were_at_most_how_long() -> None:
    took = Histogram("slicewire_took_seconds", "Took", COLOUR, bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        took.observe(seconds, "red")
    found = series(took)
    of = ("slicewire_took_seconds_bucket", "red")
    assert [found[(*of, bound)] for bound in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert found["slicewire_took_seconds_count", "red"] == 4
    assert found["slicewire_took_seconds_sum", "red"] == pytest.approx(7.65)


def test_what_is_timed_is_measured_however_it_ends() -> None:
    took = Histogram("slicewire_took_seconds", "Took")
    with pytest.raises(ZeroDivisionError), took.timing():
        raise ZeroDivisionError
    assert took.count() == 1


def test_what_is_expected_is_shown_before_it_happens() -> None:
    took = Histogram("slicewire_took_seconds", "Took", COLOUR)
    took.expect("red")
    assert series(took)["slicewire_took_seconds_count", "red"] == 0


def test_a_series_of_ours_says_which_part_it_is_of() -> None:
    text, _ = exposed([Counter("slicewire_looks_total", "Looks")], {"part": "allocator"})
    assert b'slicewire_looks_total{part="allocator"} 0.0' in text


def test_names_of_other_makers_stay_as_they_are_known() -> None:
    theirs = Counter("nvidia_dra_requests_total", "Requests", COLOUR)
    theirs.add("red")
    text, _ = exposed([theirs], {"part": "node-prep"})
    assert b'nvidia_dra_requests_total{colour="red"} 1.0' in text


def test_openmetrics_is_for_those_who_ask_for_it() -> None:
    looks = Counter("slicewire_looks_total", "Looks")
    text, kind = exposed([looks], {}, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    assert b"slicewire_looks_total 0.0\n" in text
    _, kind = exposed([looks], {})
    assert kind.startswith("text/plain; version=0.0.4")


def test_memory_and_cpu_of_the_process_are_there_too() -> None:
    text, _ = exposed([], {})
    assert b"process_resident_memory_bytes" in text
    assert b"process_cpu_seconds_total" in text


@pytest.mark.slow
def test_a_part_that_nobody_looks_at_does_not_import_prometheus() -> None:
    parts = ("allocator", "discovery", "node_prep", "publisher")
    names = ", ".join(f"slicewire.{part}.__main__" for part in parts)
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {names}; print('prometheus_client' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "False\n"
