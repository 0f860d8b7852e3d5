"""For which pods a claim is, from the fact of it to its entry in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.allocator.pods import Pods
from slicewire.common import telemetry
from slicewire.common.bus.port import Heard, Write
from slicewire.common.messages import (
    CLAIMS,
    LEDGERS,
    NODES,
    ClaimObserved,
    ClaimRef,
    LedgerEntry,
    LedgerWritten,
)
from slicewire.common.model import ClaimUID, DriverName, NodeName, ResourceClaim

UID = ClaimUID("uid-one")
FACT = ClaimObserved(claim=ResourceClaim())


def told(pods: Sequence[str], fact: ClaimObserved | None = FACT) -> Heard[ClaimObserved]:
    return Heard(CLAIMS, (UID,), fact, 1, telemetry.bearing({}, pod_uid=pods))


def a_write(*pods: str) -> Write:
    entry = LedgerEntry(claim=ClaimRef(uid=UID), results=(), pod_uids=pods)
    fact = LedgerWritten(node=NodeName("node-a"), driver=DriverName("gpu"), entries=(entry,))
    return Write(LEDGERS, ("node-a", "gpu"), fact)


def test_an_entry_names_the_pods_that_were_told_with_its_claim_and_keeps_those_it_names() -> None:
    pods = Pods()
    assert pods.named_in([a_write()]) == (a_write(),)
    pods.hear(told(("pod-1", "pod-2")))
    assert pods.named_in([a_write(), a_write("pod-9")]) == (a_write("pod-1", "pod-2"), a_write("pod-9"))
    forgotten = Write(CLAIMS, (UID,), None)
    assert pods.named_in([forgotten]) == (forgotten,)


def test_a_claim_that_is_told_again_without_them_keeps_its_pods_until_it_is_gone() -> None:
    pods = Pods()
    pods.hear(told(("pod-1",)))
    pods.hear(told(()))
    pods.hear(Heard(NODES, (UID,), None, 2, {}))
    assert pods.of(UID) == ("pod-1",)
    pods.hear(told((), None))
    assert pods.of(UID) == ()


def test_whatever_is_said_of_a_claim_its_entry_stays_small() -> None:
    pods = Pods()
    pods.hear(told([*(f"pod-{n}" for n in range(50))]))
    assert pods.of(UID) == tuple(f"pod-{n}" for n in range(8))
    pods.hear(told(("x" * 65, "pod-1")))
    assert pods.of(UID) == ("pod-1",)
