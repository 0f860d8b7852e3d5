"""For which pods a claim is: told beside it, for the traces, and kept in the ledger for who reads no more.

Claims that came over the bus are for no pod that we know. Refuses to decide by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from slicewire.common import telemetry
from slicewire.common.bus.port import Heard, Write
from slicewire.common.messages import CLAIMS, LedgerEntry, LedgerWritten
from slicewire.common.model import ClaimUID

_MOST = 8
"""A ledger is one message, whatever somebody says of a claim."""
_LONGEST = 64
"""Kubernetes makes UIDs of 36 characters."""


class Pods:
    def __init__(self) -> None:
        self._by_claim: dict[ClaimUID, tuple[str, ...]] = {}

    def hear(self, heard: Heard[Any]) -> None:
        if heard.channel.kind != CLAIMS.kind:
            return
        uid = ClaimUID(heard.key[0])
        told = telemetry.borne(heard.headers, "pod_uid") if heard.fact is not None else ()
        pods = tuple(pod for pod in told[:_MOST] if len(pod) <= _LONGEST)
        if pods:
            self._by_claim[uid] = pods
        elif heard.fact is None:
            self._by_claim.pop(uid, None)

    def of(self, uid: ClaimUID) -> tuple[str, ...]:
        return self._by_claim.get(uid, ())

    def named_in(self, writes: Sequence[Write]) -> tuple[Write, ...]:
        """Entries that name no pods yet name those of their claims."""
        if not self._by_claim:
            return tuple(writes)
        return tuple(
            msgspec.structs.replace(write, fact=self._named(write.fact))
            if isinstance(write.fact, LedgerWritten)
            else write
            for write in writes
        )

    def _named(self, ledger: LedgerWritten) -> LedgerWritten:
        return msgspec.structs.replace(ledger, entries=tuple(map(self._with_pods, ledger.entries)))

    def _with_pods(self, entry: LedgerEntry) -> LedgerEntry:
        pods = () if entry.pod_uids else self.of(entry.claim.uid)
        return msgspec.structs.replace(entry, pod_uids=pods) if pods else entry
