"""The catalogue: what may stand in a subject, and that nothing else spells one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common import messages
from slicewire.common.messages import (
    ALLOCATE,
    ANSWERS,
    CATALOGUE,
    CLAIMS,
    CLASSES,
    ENDPOINTS,
    INVENTORY,
    LEDGERS,
    NODES,
    PREPARE,
    PREPARED,
    TAINT_RULES,
    BadKey,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ClaimRef,
    ClassObserved,
    Fact,
    LedgerWritten,
    NodeObserved,
    PoolObserved,
    TaintRuleObserved,
    channel_of,
    token,
)
from slicewire.common.model import (
    ClaimUID,
    DeviceClass,
    DeviceTaint,
    DeviceTaintRule,
    DeviceTaintRuleSpec,
    DriverName,
    NodeName,
    ObjectMeta,
    PoolName,
    ResourceClaim,
)

ROOT = Path(__file__).parents[3]
names = st.from_regex(r"[A-Za-z0-9-]{1,12}(\.[A-Za-z0-9-]{1,12}){0,3}", fullmatch=True)
UID = ClaimUID("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
NODE, DRIVER = NodeName("node-a.example.com"), DriverName("gpu.nvidia.com")
REF = ClaimRef(uid=UID)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("node-a", "node-a"),
        ("node-a.example.com", "node-a_example_com"),
        ("gpu.nvidia.com", "gpu_nvidia_com"),
        (UID, UID),
        ("7", "7"),
    ],
)
def test_a_kubernetes_name_becomes_one_token(name: str, made: str) -> None:
    assert token(name) == made


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        ">",
        "a.*",
        "a.>",
        "a*",
        "a>b",
        "a b",
        " a",
        "a ",
        "a\n",
        "\n",
        "a\tb",
        "a\r\nPUB x",
        "a\x00",
        ".",
        "..",
        ".a",
        "a.",
        "a..b",
        "a_b",
        "a/b",
        "$JS.API",
        "$SYS",
        "\u00e9",
        "\u0661",
        "a\u200bb",
    ],
)
def test_a_name_that_cannot_stand_in_a_subject_is_refused_and_named(name: str) -> None:
    with pytest.raises(BadKey, match="cannot stand in a subject") as caught:
        token(name)
    assert repr(name) in str(caught.value)


@given(st.text(max_size=20))
def test_whatever_is_accepted_is_one_token_without_a_wildcard(name: str) -> None:
    try:
        made = token(name)
    except BadKey:
        return
    assert made
    assert made.isascii()
    assert not set(made) & set(".*> \t\r\n$/")


def test_an_endpoint_refuses_a_bad_key_too() -> None:
    assert PREPARE.subject("node.a") == f"{messages.VERSION}.request.prepare.node_a"
    with pytest.raises(BadKey):
        PREPARE.subject("*")


@pytest.mark.parametrize("channel", CATALOGUE, ids=lambda channel: channel.kind)
@given(st.data())
def test_the_names_come_back_out_of_the_subject(channel: Channel[Fact], data: st.DataObject) -> None:
    key = data.draw(st.tuples(*(names for _ in channel.key_names)))
    subject = channel.subject(*key)
    assert channel.key_of(subject) == key
    assert channel_of(subject) == channel


@given(st.tuples(names, names), st.tuples(names, names))
def test_two_keys_never_share_a_subject(left: tuple[str, str], right: tuple[str, str]) -> None:
    assert (LEDGERS.subject(*left) == LEDGERS.subject(*right)) == (left == right)


FACTS: tuple[tuple[Channel[Any], Fact, tuple[str, ...]], ...] = (
    (
        INVENTORY,
        PoolObserved(node=NODE, driver=DRIVER, pool=PoolName(NODE), generation=1),
        (NODE, DRIVER),
    ),
    (NODES, NodeObserved(name=NODE, uid="u"), (NODE,)),
    (
        CLASSES,
        ClassObserved(device_class=DeviceClass(metadata=ObjectMeta(name="gpu.nvidia.com"))),
        ("gpu.nvidia.com",),
    ),
    (
        TAINT_RULES,
        TaintRuleObserved(
            rule=DeviceTaintRule(
                metadata=ObjectMeta(name="no-gpu.example.com"),
                spec=DeviceTaintRuleSpec(taint=DeviceTaint(key="a", effect="NoSchedule")),
            )
        ),
        ("no-gpu.example.com",),
    ),
    (CLAIMS, ClaimObserved(claim=ResourceClaim(metadata=ObjectMeta(uid=UID))), (UID,)),
    (LEDGERS, LedgerWritten(node=NODE, driver=DRIVER), (NODE, DRIVER)),
    (ANSWERS, ClaimAnswered(claim=REF), (UID,)),
    (PREPARED, ClaimPrepared(node=NODE, claim=REF), (NODE, UID)),
)


@pytest.mark.parametrize(("channel", "fact", "key"), FACTS, ids=lambda item: getattr(item, "kind", ""))
def test_a_fact_says_its_own_key_and_the_key_has_as_many_names_as_the_channel(
    channel: Channel[Any], fact: Fact, key: tuple[str, ...]
) -> None:
    assert isinstance(fact, channel.fact)
    assert channel.key(fact) == key
    assert len(key) == len(channel.key_names)


def test_the_table_above_has_every_channel() -> None:
    assert {channel.kind for channel, _, _ in FACTS} == {channel.kind for channel in CATALOGUE}


def test_a_channel_can_be_narrowed_to_the_keys_of_one_node_or_to_one_key() -> None:
    state = f"{messages.VERSION}.state"
    assert LEDGERS.pattern == f"{state}.ledger.>"
    assert LEDGERS.under("node.a").pattern == f"{state}.ledger.node_a.>"
    assert LEDGERS.under("node.a", "d").pattern == LEDGERS.subject("node.a", "d")
    with pytest.raises(BadKey):
        _ = LEDGERS.under("*").pattern


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "slicewire.v1.state",
        "slicewire.v1.state.claim",
        "slicewire.v1.state.dream.x",
        "slicewire.v2.state.claim.x",
        "slicewire.v1.request.claim.x",
        "x.slicewire.v1.state.claim.x",
    ],
)
def test_a_subject_of_somebody_else_belongs_to_no_channel(subject: str) -> None:
    assert channel_of(subject) is None


def test_every_channel_has_a_kind_and_a_fact_of_its_own_and_every_endpoint_a_name() -> None:
    assert len({channel.kind for channel in CATALOGUE}) == len(CATALOGUE)
    assert len({channel.fact for channel in CATALOGUE}) == len(CATALOGUE)
    spelled = {channel.kind for channel in CATALOGUE} | {endpoint.name for endpoint in ENDPOINTS}
    assert len(spelled) == len(CATALOGUE) + len(ENDPOINTS)
    assert all(token(name) == name for name in spelled)


def test_every_fact_of_the_module_is_in_the_catalogue() -> None:
    assert {channel.fact for channel in CATALOGUE} == set(Fact.__subclasses__())


def test_the_state_stream_keeps_every_fact_and_no_request() -> None:
    stem = messages.STATE_SUBJECTS.removesuffix(">")
    assert all(channel.pattern.startswith(stem) for channel in CATALOGUE)
    assert not ALLOCATE.subject().startswith(stem)


def test_no_other_module_spells_a_subject() -> None:
    spelling = {
        path.relative_to(ROOT).as_posix()
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(
            r"(?<!dev\.)slicewire\.v\d", path.read_text()
        )  # dev.slicewire.v1 names types, not subjects
    }
    assert spelling == {"libs/common/src/slicewire/common/messages/channels.py"}


def test_no_other_module_spells_the_streams() -> None:
    spelling = {
        path.name
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if f'"{messages.STATE_STREAM}"' in path.read_text()
    }
    assert spelling == {"channels.py"}
