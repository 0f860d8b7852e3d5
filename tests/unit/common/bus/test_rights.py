"""The table of rights is made of the catalogue: nobody gets more than the part that it is."""

from __future__ import annotations

import pytest

from slicewire.common.bus import zones
from slicewire.common.bus.rights import MINE, OUTSIDE, ROLES, api, inbox, makes_streams, rights
from slicewire.common.messages import CATALOGUE, STATE_STREAM

STATE = "slicewire.v1.state."


def told(role: str) -> set[str]:
    """The kinds of fact that a role may tell."""
    return {
        subject.removeprefix(STATE).partition(".")[0]
        for subject in rights(role).publish
        if subject.startswith(STATE)
    }


def test_each_fact_is_told_by_its_author_and_whoever_stands_in_for_it() -> None:
    authors = {"discovery": "node", "node-prep": "node"}
    for channel in CATALOGUE:
        assert channel.kind in told(authors.get(channel.author, channel.author))
    assert told("node") == {"inventory", "prepared"}
    assert told("allocator") == {"ledger", "answer", "claim"}
    assert told("publisher") == {"node", "class", "taintrule", "claim"}
    assert told("user") == {"class", "taintrule"}
    assert told("reader") == set()


def test_whatever_a_node_may_say_of_facts_has_its_own_name_in_it() -> None:
    its = rights("node")
    assert all(MINE in subject for subject in its.publish if STATE in subject)
    assert all(MINE in subject for subject in its.subscribe if subject.startswith("slicewire."))
    assert not any("DIRECT.GET" in subject for subject in its.publish)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_nobody_may_change_what_a_stream_is_or_take_out_of_it(role: str) -> None:
    calls = ("UPDATE", "DELETE", "PURGE", "RESTORE", "SNAPSHOT", "MSG.GET", "LEADER", "PEER")
    assert not any(f"STREAM.{call}" in subject for subject in rights(role).publish for call in calls)
    assert not any(subject in (">", "$JS.>", "$JS.API.>") for subject in rights(role).publish)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_hears_anothers_answers(role: str) -> None:
    assert f"{inbox(role, MINE)}.>" in rights(role).subscribe
    others = [one for one in rights(role).subscribe if one.startswith("_INBOX")]
    assert others == [f"{inbox(role, MINE)}.>"]


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("allocator", "admin")])
def test_nobody_else_touches_the_work_of_the_allocators(role: str) -> None:
    create = f"{api(role)}.CONSUMER.CREATE.{STATE_STREAM}.allocator-claim"
    assert {create, f"{create}.>"} <= set(rights(role).never)
    assert not any("$JS.ACK" in subject for subject in rights(role).publish)


def test_those_outside_may_ask_nothing_that_does_not_cross() -> None:
    crossing = {one.local or one.subject for one in zones.from_inside()}
    inside = {one.subject for one in zones.from_outside()}
    for role in OUTSIDE:
        for subject in rights(role).publish:
            if subject == "$SYS.REQ.USER.INFO":
                continue  # every account has it
            plain = subject.replace(MINE, "*")
            covered = any(plain.startswith(one.removesuffix(">")) for one in crossing if one.endswith(".>"))
            assert plain in crossing | inside or covered, subject


def test_streams_are_made_inside_and_by_who_has_no_role() -> None:
    assert {role for role in ("", *ROLES) if makes_streams(role)} == {"", "allocator", "publisher"}
