"""The revision log remembers, forgets on request, and tells each change once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kubeapi.history import Change, Compacted, History
from tests.kubeapi.kinds import CLAIMS, SLICES
from tests.kubeapi.listing import Page, list_page, seen_after
from tests.kubeapi.selectors import Requirement, Selection
from tests.kubeapi.statuses import Refused


def named(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def test_every_commit_takes_the_next_revision_whatever_its_kind() -> None:
    history = History()
    versions = [
        history.put(kind, named("a"))["metadata"]["resourceVersion"] for kind in (SLICES, CLAIMS, SLICES)
    ]
    assert versions == ["2", "3", "4"]
    assert history.remove(SLICES, ("", "a"))["metadata"]["resourceVersion"] == "5"


def test_the_past_can_be_read_until_it_is_compacted() -> None:
    history = History()
    history.put(SLICES, named("a"))
    then = history.revision
    history.put(SLICES, named("b"))
    history.remove(SLICES, ("", "a"))
    assert set(history.as_of(SLICES, then)) == {("", "a")}
    assert set(history.objects(SLICES)) == {("", "b")}
    history.compact()
    with pytest.raises(Compacted):
        history.as_of(SLICES, then)
    assert set(history.as_of(SLICES, history.revision)) == {("", "b")}


def test_a_full_log_forgets_its_older_half() -> None:
    history = History(keep=4)
    for number in range(5):
        history.put(SLICES, named(f"s{number}"))
    with pytest.raises(Compacted):
        history.changes_after(SLICES, 1)
    assert [change.key[1] for change in history.changes_after(SLICES, history.compacted)] == ["s3", "s4"]


def test_a_listener_hears_until_it_stops() -> None:
    history, heard = History(), list[Change]()
    stop = history.listen(heard.append)
    history.put(SLICES, named("a"))
    stop()
    history.put(SLICES, named("b"))
    assert [(change.key, change.before) for change in heard] == [(("", "a"), None)]


def test_a_page_that_does_not_decode_is_a_bad_request() -> None:
    with pytest.raises(Refused) as refused:
        list_page(History(), Selection(SLICES), Page(limit=1, token="???"))
    assert refused.value.code == 400


COMMITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["keep", "other", "remove"])), max_size=20
)


@given(commits=COMMITS, start=st.integers(0, 20), filtered=st.booleans())
def test_a_list_and_the_watch_after_it_give_the_present(
    commits: list[tuple[str, str]], start: int, filtered: bool
) -> None:
    """Whatever happens, and whichever objects are asked for: what informers stand on."""
    labels = (Requirement("is", frozenset(["keep"])),) if filtered else ()
    history, selection, listed, revision = History(), Selection(SLICES, labels=labels), dict[str, Any](), 1
    for number, (name, act) in enumerate(commits):
        if number == start:
            page = list_page(history, selection, Page())
            listed = {each["metadata"]["name"]: each for each in page.items}
            revision = page.revision
        if act != "remove":
            history.put(SLICES, named(name, **{"is": act}))
        elif history.get(SLICES, ("", name)):
            history.remove(SLICES, ("", name))
    for kind, seen in seen_after(history, selection, revision):
        name = seen["metadata"]["name"]
        assert (kind == "ADDED") is (name not in listed)
        if kind == "DELETED":
            del listed[name]
        else:
            listed[name] = seen
    present = list_page(history, selection, Page()).items
    assert listed == {each["metadata"]["name"]: each for each in present}
