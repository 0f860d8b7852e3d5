"""What people see of the facts: a row for every device and every claim, and why one waits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from slicewire.client import tables
from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    INVENTORY,
    KUBE_SCHEDULER,
    LEDGERS,
    PREPARED,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ClaimRef,
    LedgerEntry,
    LedgerWritten,
    Moment,
    PoolObserved,
    Unreadable,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimName,
    ClaimUID,
    Device,
    DeviceAttribute,
    DeviceID,
    DeviceName,
    DeviceRequestAllocationResult,
    DeviceTaint,
    DriverName,
    Namespace,
    NodeName,
    PoolName,
    Refusal,
    RequestName,
    ResourceClaim,
    Rule,
    Unsatisfiable,
)
from tests.builders import a_claim, a_gpu

DRIVER = DriverName("gpu.nvidia.com")


def heard(channel: Channel[Any], fact: Any, **headers: str) -> Heard[Any]:
    return Heard(channel, channel.key(fact), fact, 7, headers)


def pool(node: str, *devices: Device, unreadable: tuple[Unreadable, ...] = ()) -> Heard[Any]:
    fact = PoolObserved(
        node=NodeName(node),
        driver=DRIVER,
        pool=PoolName(node),
        generation=1,
        devices=devices,
        unreadable=unreadable,
    )
    return heard(INVENTORY, fact)


def ref(claim: ResourceClaim) -> ClaimRef:
    return ClaimRef(uid=claim.uid, namespace=Namespace("default"), name=ClaimName(claim.metadata.name))


def ledger(node: str, *held: tuple[ResourceClaim, str], origin: str = "slicewire") -> Heard[Any]:
    entries = tuple(
        LedgerEntry(
            claim=ref(claim),
            results=(
                DeviceRequestAllocationResult(
                    request=RequestName("gpu"),
                    driver=DRIVER,
                    pool=PoolName(node),
                    device=DeviceName(device),
                ),
            ),
            origin=origin,
        )
        for claim, device in held
    )
    return heard(LEDGERS, LedgerWritten(node=NodeName(node), driver=DRIVER, entries=entries))


def states(*found: Heard[Any]) -> dict[str, str]:
    return {f"{row.node}/{row.device}": row.state for row in tables.device_rows(found)}


def test_a_device_is_free_or_held_or_tainted_and_says_by_whom() -> None:
    train, serve = a_claim(name="train"), a_claim(name="serve")
    taint = DeviceTaint(key="slicewire.dev/vanished", effect="NoExecute")
    found = states(
        pool("n", a_gpu(0), a_gpu(1), a_gpu(2), a_gpu(3, taints=[taint]), a_gpu(4, taints=[taint])),
        ledger("n", (train, "gpu-1"), (train, "gpu-2"), (serve, "gpu-2"), (serve, "gpu-4")),
    )
    assert found == {
        "n/gpu-0": "free",
        "n/gpu-1": "default/train",
        "n/gpu-2": "default/train, default/serve",
        "n/gpu-3": "slicewire.dev/vanished:NoExecute",
        "n/gpu-4": "default/serve, slicewire.dev/vanished:NoExecute",
    }


def test_the_same_name_on_another_node_is_another_device() -> None:
    found = states(pool("b", a_gpu(0)), pool("a", a_gpu(0)), ledger("b", (a_claim(), "gpu-0")))
    assert list(found.items()) == [("a/gpu-0", "free"), ("b/gpu-0", "default/train")]


def test_what_a_silent_agent_told_says_so() -> None:
    told = (pool("a", a_gpu(0), a_gpu(1)), pool("b", a_gpu(0)), ledger("a", (a_claim(), "gpu-1")))
    rows = tables.device_rows(told, {(NodeName("a"), DRIVER)})
    assert [row.state for row in rows] == ["agent silent", "default/train, agent silent", "free"]


def test_what_could_not_be_read_is_a_row_too() -> None:
    gap = Unreadable(what="gpu-9", reason="GPU is lost")
    assert states(pool("n", unreadable=(gap,))) == {"n/gpu-9": "unreadable: GPU is lost"}


def test_a_device_row_shows_what_people_choose_by() -> None:
    plain = a_gpu(0, memory="81559Mi", productName="NVIDIA H100")
    more = {
        "resource.kubernetes.io/pcieRoot": DeviceAttribute(string="pci0000:17"),
        "resource.kubernetes.io/numaNode": DeviceAttribute(int_value=0),
    }
    device = msgspec.structs.replace(plain, attributes={**plain.attributes, **more})
    (row,) = tables.device_rows([pool("n", device)])
    assert (row.product, row.memory, row.pcie_root, row.numa) == (
        "NVIDIA H100",
        "79.6 GiB",
        "pci0000:17",
        "0",
    )


def test_a_forgotten_pool_and_facts_of_other_kinds_have_no_rows() -> None:
    gone = Heard(INVENTORY, ("n", DRIVER), None, 8, {})
    assert tables.device_rows([gone, heard(CLAIMS, ClaimObserved(claim=a_claim()))]) == ()


def answered(claim: ResourceClaim, refusal: str = "") -> Heard[Any]:
    fact = ClaimAnswered(
        claim=ref(claim),
        allocation=None if refusal else AllocationResult(),
        refusal=Unsatisfiable(message=refusal) if refusal else None,
    )
    return heard(ANSWERS, fact)


def prepared(claim: ResourceClaim, error: str = "") -> Heard[Any]:
    return heard(PREPARED, ClaimPrepared(node=NodeName("n"), claim=ref(claim), error=error))


TRAIN = a_claim(name="train")


@pytest.mark.parametrize(
    ("facts", "state", "note"),
    [
        ((), "waiting", ""),
        ((answered(TRAIN, "no room"),), "waiting", "no room"),
        ((answered(TRAIN),), "allocated", ""),
        ((ledger("n", (TRAIN, "gpu-0")),), "allocated", ""),
        ((answered(TRAIN, "no room"), ledger("n", (TRAIN, "gpu-0"))), "allocated", ""),
        ((ledger("n", (TRAIN, "gpu-0")), prepared(TRAIN)), "prepared", ""),
        ((ledger("n", (TRAIN, "gpu-0")), prepared(TRAIN, "no CDI folder")), "failed", "no CDI folder"),
    ],
)
def test_a_claim_is_as_far_as_the_facts_say(facts: tuple[Heard[Any], ...], state: str, note: str) -> None:
    (row,) = tables.claim_rows([heard(CLAIMS, ClaimObserved(claim=TRAIN)), *facts])
    assert (row.claim, row.state, row.note) == ("default/train", state, note)


def test_a_claim_row_names_all_it_holds_wherever_that_is_and_who_decided() -> None:
    observed = heard(CLAIMS, ClaimObserved(claim=TRAIN))
    held = (ledger("b", (TRAIN, "gpu-1"), origin=KUBE_SCHEDULER), ledger("a", (TRAIN, "gpu-0")))
    (row,) = tables.claim_rows([observed, *held])
    assert (row.node, row.devices, row.decided_by) == ("a, b", ("gpu-1", "gpu-0"), KUBE_SCHEDULER)


def test_claims_are_in_the_order_of_their_names() -> None:
    observed = [heard(CLAIMS, ClaimObserved(claim=a_claim(name=name))) for name in ("b", "c", "a")]
    assert [row.claim for row in tables.claim_rows(observed)] == ["default/a", "default/b", "default/c"]


def test_a_refusal_is_explained_with_who_was_refused_and_how_many_more() -> None:
    two = tuple(DeviceID(DRIVER, PoolName("n"), DeviceName(f"gpu-{number}")) for number in range(2))
    refusal = Unsatisfiable(
        message="2 of 3 GPUs are in use",
        refusals=(
            Refusal(rule=Rule.IN_USE, message="in use", node="n", count=5, devices=two),
            Refusal(rule=Rule.TAINT, message="tainted", node="m", count=1),
            Refusal(rule=Rule.COUNT, message="1 is left, 2 are asked for"),
        ),
    )
    assert tables.explanation(refusal).splitlines() == [
        "2 of 3 GPUs are in use",
        "  n: 5 devices: in use",
        "      gpu-0, gpu-1 and 3 more",
        "  m: 1 device: tainted",
        "  1 is left, 2 are asked for",
    ]


def test_an_event_is_the_fact_with_its_envelope() -> None:
    fact = ClaimAnswered(claim=ClaimRef(uid=ClaimUID("u")))
    headers = {"ce-type": "t", "ce-source": "/slicewire/x", "ce-time": "now", "traceparent": "00-a"}
    item = Heard(ANSWERS, ("u",), fact, 9, headers, event=7)
    assert tables.event(item, ANSWERS.subject("u")) == {
        "sequence": 7,
        "subject": ANSWERS.subject("u"),
        "type": "t",
        "source": "/slicewire/x",
        "time": "now",
        "traceparent": "00-a",
        "fact": fact,
    }
    assert tables.event(Heard(ANSWERS, ("u",), None, 8, {}), "s")["fact"] is None


def test_a_moment_is_told_with_its_time_and_what_is_not_known_of_it() -> None:
    assert tables.moment(Moment(event=7, time="2026-11-24T10:15:02.184Z")) == (
        "As of event 7, 2026-11-24T10:15:02.184Z:"
    )
    assert tables.moment(Moment(event=7, gaps=("one is missing", "another too"))) == (
        "As of event 7:\n  but one is missing\n  but another too"
    )
