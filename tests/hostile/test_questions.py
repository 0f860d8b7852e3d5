"""Hostile questions to every endpoint: a clear answer, and the part goes on."""

from __future__ import annotations

import json
from typing import Any

import nats
import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Declined
from slicewire.common.messages import CAPACITY, CLAIMS, ENDPOINTS, CapacityRequest, Endpoint
from slicewire.common.model import wire
from tests.component.allocator.world import World, claim
from tests.hostile.words import BODIES, NAMES, nested
from tests.hostile.world import MOST_BYTES, Stranger

pytestmark = pytest.mark.slow

OF_THE_ALLOCATOR = tuple(each for each in ENDPOINTS if each.server == "allocator")


async def still_allocates(world: World) -> None:
    (answer,) = await world.allocate(claim("after"))
    assert answer.allocation is not None


def asked_with(**metadata: Any) -> bytes:
    document = wire.to_builtins(claim("evil"))
    document["metadata"] |= metadata
    return json.dumps({"claims": [document]}).encode()


@pytest.mark.parametrize("endpoint", OF_THE_ALLOCATOR, ids=[each.name for each in OF_THE_ALLOCATOR])
async def test_what_is_not_a_question_is_declined_with_the_reason(
    world: World, someone: Stranger, endpoint: Endpoint[Any, Any]
) -> None:
    optional = endpoint.name == "capacity"  # which asks for everything where it names nothing
    for what, body in BODIES.items():
        answer = await someone.ask(endpoint.subject(), body)
        if optional and body.startswith(b"{") and answer.code == 0:
            continue
        assert answer.code in (400, 404), (what, answer)
        assert answer.text, what
        assert len(answer.text) < 10_000, what
    await still_allocates(world)


@pytest.mark.parametrize("field", ["uid", "name", "namespace"])
async def test_a_name_that_is_none_is_declined_by_field_and_value(
    world: World, someone: Stranger, field: str
) -> None:
    for name in NAMES:
        answer = await someone.ask("slicewire.v1.request.allocate", asked_with(**{field: name}))
        assert answer.code == 400, (name[:40], answer)
        assert answer.text.startswith(f"claims[0].metadata.{field}: "), answer
        assert len(answer.text) < 1000
    assert await world.now(CLAIMS) == {}
    await still_allocates(world)


@pytest.mark.parametrize("name", [name for name in NAMES if name], ids=lambda name: ascii(name[:12]))
async def test_names_inside_a_claim_are_text_and_nothing_else(
    world: World, someone: Stranger, name: str
) -> None:
    request = {
        "name": name,
        "exactly": {"deviceClassName": name, "selectors": [{"cel": {"expression": name}}]},
    }
    document = wire.to_builtins(claim("evil")) | {
        "spec": {
            "devices": {
                "requests": [request],
                "constraints": [{"requests": [name], "matchAttribute": name}],
                "config": [{"requests": [name], "opaque": {"driver": name, "parameters": {name: name}}}],
            }
        }
    }
    answer = await someone.ask("slicewire.v1.request.explain", json.dumps({"document": document}).encode())
    assert answer.code in (0, 400)
    assert "refusal" in answer.text or answer.code
    await still_allocates(world)


async def test_an_unknown_name_as_long_as_a_message_is_declined_in_a_few_words(
    world: World, someone: Stranger
) -> None:
    for sign in ("n", "\n", "é", "\x01"):
        name = sign * ((MOST_BYTES - 200) // len(json.dumps(sign)[1:-1]))
        body = json.dumps({"claim": {"uid": name}}).encode()
        for endpoint in ("release", "explain"):
            answer = await someone.ask(f"slicewire.v1.request.{endpoint}", body)
            assert answer.code == 404
            assert len(answer.text) < 10_000
    await still_allocates(world)


async def test_a_claim_that_no_message_can_tell_is_declined(world: World, someone: Stranger) -> None:
    """It came in one, and what is told of it is a little longer."""
    room = MOST_BYTES - len(asked_with(annotations={"a": ""})) - 100
    answer = await someone.ask("slicewire.v1.request.allocate", asked_with(annotations={"a": "x" * room}))
    assert answer.code == 400, answer
    assert "bytes" in answer.text
    assert await world.now(CLAIMS) == {}
    await still_allocates(world)


async def test_an_answer_that_no_message_can_hold_is_declined(world: World, someone: Stranger) -> None:
    big = {"driver": "d.example.com", "parameters": {"a": "x" * 9000}}
    documents = []
    for number in range(100):
        document = wire.to_builtins(claim(f"c{number}"))
        document["spec"]["devices"]["config"] = [{"opaque": big}]
        documents.append(document)
    answer = await someone.ask("slicewire.v1.request.whatif", json.dumps({"claims": documents}).encode())
    assert answer.code in (0, 400, 500), answer
    await still_allocates(world)


async def test_parameters_nested_deeper_than_anybody_reads_are_declined(
    world: World, someone: Stranger
) -> None:
    for levels in (100, 400, 900, 1500, 5000):
        document = json.dumps(wire.to_builtins(claim(f"deep-{levels}"))).encode()
        bomb = b'{"requests":' + b'[{"name":"gpu","exactly":{"deviceClassName":"gpu.nvidia.com"}}],'
        bomb += b'"config":[{"opaque":{"driver":"d","parameters":' + nested(levels) + b"}}]}"
        spec = json.dumps(wire.to_builtins(claim("x"))["spec"]).encode()
        body = b'{"claims":[' + document.replace(spec, b'{"devices":' + bomb + b"}") + b"]}"
        answer = await someone.ask("slicewire.v1.request.allocate", body)
        assert answer.code in (0, 400), (levels, answer)
    await still_allocates_one(world)


async def still_allocates_one(world: World) -> None:
    (answer,) = await world.allocate(claim("after"))
    assert answer.allocation is not None or answer.refusal is not None


async def test_a_claim_of_32_requests_and_every_constraint_between_them_is_answered_in_bounds(
    world: World, someone: Stranger
) -> None:
    requests = [
        {"name": f"r{n}", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 1}} for n in range(32)
    ]
    pairs = [[f"r{a}", f"r{b}"] for a in range(32) for b in range(a)]
    constraints = [{"requests": pair, "matchAttribute": "gpu.nvidia.com/type"} for pair in pairs]
    document = wire.to_builtins(claim("huge"))
    document["spec"] = {"devices": {"requests": requests, "constraints": constraints}}
    answer = await someone.ask("slicewire.v1.request.allocate", json.dumps({"claims": [document]}).encode())
    assert answer.code in (0, 400), answer
    assert "refusal" in answer.text or answer.code
    await still_allocates(world)


async def test_a_trace_context_that_is_none_is_no_reason_not_to_answer(
    world: World, someone: Stranger
) -> None:
    for value in ("", "00", "zz-1-2-3", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "x" * 3000):
        answer = await someone.ask(
            "slicewire.v1.request.capacity", b"{}", traceparent=value, tracestate=value
        )
        assert answer.code == 0
    await still_allocates(world)


NONSENSE: tuple[tuple[bytes, dict[str, str] | None], ...] = (
    (b"\xff", None),
    (nested(), None),
    (b'{"classes":7}', None),
    (b"", {"Nats-Service-Error-Code": "many", "Nats-Service-Error": "x"}),
    (b"", {"Nats-Service-Error-Code": "500"}),
)


async def test_a_server_that_answers_nonsense_is_declined_not_believed(bus: NatsBus, nats_url: str) -> None:
    liar = await nats.connect(nats_url)
    lies = iter(NONSENSE)

    async def lie(message: Any) -> None:
        body, headers = next(lies)
        await liar.publish(message.reply, body, headers=headers)

    await liar.subscribe(CAPACITY.subject(), cb=lie)
    await liar.flush()
    for _ in NONSENSE:
        answer = await bus.ask(CAPACITY, CapacityRequest())
        assert isinstance(answer, Declined), answer
        assert answer.code >= 500
        assert "cannot be read" in answer.reason
    await liar.close()
