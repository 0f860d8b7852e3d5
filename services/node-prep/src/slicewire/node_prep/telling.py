"""Tell which claims are prepared: what is true here against what the bus has, and the difference told.

No answer to anybody waits for it; while the bus is away, nothing is lost, only late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.bus.port import Bus, Committed, Write
from slicewire.common.logs import Log
from slicewire.common.messages import PREPARED, ClaimPrepared, ClaimRef, PreparedDevice
from slicewire.common.model import ClaimUID, DeviceName, NodeName, TraceParent
from slicewire.node_prep.core import cdi, metadata
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import Entry
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.steps import WriteMetadata
from slicewire.node_prep.core.steps.metadata import WRITTEN
from slicewire.node_prep.hearing import Hearing, Told

_log = Log("node-prep")


class Refused(msgspec.Struct, frozen=True):
    """Why a claim that has devices here could not be given them when it was last asked for."""

    claim: Claim
    reason: str
    trace: TraceParent


class Truth(msgspec.Struct, frozen=True):
    """A fact to be on the bus (None: to be gone from it), and the trace it belongs to."""

    uid: ClaimUID
    fact: ClaimPrepared | None
    trace: TraceParent = TraceParent("")


def prepared_devices(entry: Entry) -> tuple[PreparedDevice, ...]:
    extra = _described(entry)
    return tuple(
        PreparedDevice(
            request_names=planned.request_names,
            pool=planned.pool,
            device=planned.device,
            cdi_device_ids=(cdi.device_id(entry.plan.claim.uid, planned), *extra.pop(planned.device, ())),
            share_id=planned.share.id if planned.share is not None else None,
        )
        for planned in entry.plan.devices
    )


def _described(entry: Entry) -> dict[DeviceName, tuple[str, ...]]:
    """By device, what mounts the files that describe it, where they were written."""
    return {
        device: ids
        for step, progress in entry.steps()
        if isinstance(step, WriteMetadata) and progress.notes == WRITTEN
        for device, ids in metadata.cdi_ids(step.described).items()
    }


def reference(claim: Claim) -> ClaimRef:
    return ClaimRef(uid=claim.uid, namespace=claim.namespace, name=claim.name)


def truths(node: NodeName, checkpoint: Checkpoint, refused: Mapping[ClaimUID, Refused]) -> tuple[Truth, ...]:
    """A claim that is prepared is told so, whatever went wrong before or since."""
    errors = {
        uid: Truth(uid, ClaimPrepared(node=node, claim=reference(one.claim), error=one.reason), one.trace)
        for uid, one in refused.items()
    }
    successes = {
        entry.plan.claim.uid: Truth(
            entry.plan.claim.uid,
            ClaimPrepared(node=node, claim=reference(entry.plan.claim), devices=prepared_devices(entry)),
            entry.trace,
        )
        for entry in checkpoint.in_state(State.COMPLETED)
        if entry.is_whole
    }
    return tuple((errors | successes).values())


def untold(wanted: tuple[Truth, ...], told: Mapping[ClaimUID, Told]) -> Iterator[Truth]:
    """What must be told, and what must be forgotten, for the bus to say what is true."""
    true = {truth.uid: truth for truth in wanted}
    for uid, truth in true.items():
        if uid not in told or told[uid].fact != truth.fact:
            yield truth
    for uid, known in told.items():
        if uid not in true and known.fact is not None:
            yield Truth(uid, None)


async def tell(bus: Bus, hearing: Hearing, truth: Truth) -> None:
    """Unless another instance of us knows better. Raises `BusUnavailable`."""
    if not hearing.is_our_word():
        return
    key = (hearing.node.name, truth.uid)
    done = await bus.commit([Write(PREPARED, key, truth.fact, trace=truth.trace)])
    assert isinstance(done, Committed), "nothing was expected, so nothing can be stale"
    await hearing.note(truth.uid, Told(done.sequence, truth.fact))
    _log.debug("told", claim_uid=truth.uid, prepared=truth.fact is not None and not truth.fact.error)
