"""Envelopes: what was sealed here is known when it comes back; what others sealed is read."""

from __future__ import annotations

from slicewire.common.bus.envelope import Envelopes, as_shown
from slicewire.common.bus.link import Message
from slicewire.common.bus.port import Write
from slicewire.common.messages import NODES, SCHEMA_VERSION, NodeObserved
from slicewire.common.model import NodeName

FACT = NodeObserved(name=NodeName("node-a"), uid="u")


def sent(by: Envelopes, fact: NodeObserved | None = FACT) -> Message:
    ((subject, body, headers),) = by.seal([Write(NODES, ("node-a",), fact)])
    return Message(subject, body, headers, sequence=7)


def test_ones_own_fact_comes_back_as_the_very_same_value() -> None:
    envelopes = Envelopes("a")
    heard = envelopes.open(sent(envelopes))
    assert heard is not None
    assert heard.fact is FACT
    assert (heard.channel, heard.key, heard.sequence) == (NODES, ("node-a",), 7)


def test_ones_own_word_that_a_key_has_ended_comes_back_as_that() -> None:
    envelopes = Envelopes("a")
    heard = envelopes.open(sent(envelopes, None))
    assert heard is not None
    assert heard.fact is None


def test_the_fact_of_another_is_read_even_by_one_of_the_same_name() -> None:
    envelopes = Envelopes("a")
    sent(envelopes)  # has an id of its own by now
    heard = envelopes.open(sent(Envelopes("a")))
    assert heard is not None
    assert heard.fact == FACT
    assert heard.fact is not FACT


def test_only_the_last_few_thousand_are_remembered_and_older_ones_are_read() -> None:
    envelopes = Envelopes("a")
    first = sent(envelopes)
    for _ in range(5000):
        sent(envelopes)
    heard = envelopes.open(first)
    assert heard is not None
    assert heard.fact == FACT
    assert heard.fact is not FACT


def test_the_headers_say_which_version_of_which_fact_it_is_also_where_the_key_has_ended() -> None:
    for fact in (FACT, None):
        assert (
            sent(Envelopes("a"), fact).headers["ce-dataschema"]
            == f"urn:slicewire:schema:{SCHEMA_VERSION}:node"
        )


def test_where_the_bus_is_is_shown_without_a_password() -> None:
    given = "nats://ann:s3cret@bus-0:4222,nats://token@bus-1:4222,tls://bus-2:4222"
    assert as_shown(given) == "nats://bus-0:4222,nats://bus-1:4222,tls://bus-2:4222"
