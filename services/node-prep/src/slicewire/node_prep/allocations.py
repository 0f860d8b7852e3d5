"""What a claim was given on this node: from the ledger, and from Kubernetes while the bus is away.

The kubelet may be faster than the bus, so it waits a moment; it never guesses.
"""

from __future__ import annotations

from typing import Protocol

from slicewire.node_prep.core.node import Allocation, Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.hearing import Hearing


class ClaimSource(Protocol):
    """Who can be asked for a claim when the ledger cannot."""

    async def read(self, claim: Claim) -> Allocation | PrepareRefusal: ...


class Allocations:
    def __init__(self, hearing: Hearing, wait_seconds: float, otherwise: ClaimSource | None = None) -> None:
        self._hearing = hearing
        self._wait_seconds = wait_seconds
        self._otherwise = otherwise

    async def of(self, claim: Claim, *, is_prepared: bool) -> Allocation | PrepareRefusal | None:
        """None for a claim that is prepared, while nobody can say more: then it stays as it is."""
        allocation = self._hearing.node.allocation(claim.uid)
        if allocation is not None or (is_prepared and not await self._hearing.is_live()):
            return allocation
        return await self._waited_for(claim, is_prepared)

    async def _waited_for(self, claim: Claim, is_prepared: bool) -> Allocation | PrepareRefusal:
        """The bus is asked whether it is there only after the wait: it may have come back."""
        hearing = self._hearing
        await hearing.wait_for(lambda node: node.allocation(claim.uid) is not None, self._wait_seconds)
        allocation = hearing.node.allocation(claim.uid)
        if allocation is not None:
            return allocation
        is_live = await hearing.is_live()
        if self._otherwise is not None and not is_live:
            return await self._otherwise.read(claim)
        return self._missing(claim, is_prepared, is_live)

    def _missing(self, claim: Claim, is_prepared: bool, is_live: bool) -> PrepareRefusal:
        node = self._hearing.node
        if other := node.named_like(claim):
            return PrepareRefusal(
                Why.REPLACED_CLAIM,
                f"claim {claim.label} was replaced:"
                f" in the ledger of node {node.name} its UID is {other.claim.uid}, not {claim.uid}",
            )
        if is_prepared:
            return PrepareRefusal(
                Why.UNKNOWN_CLAIM,
                f"claim {claim} was deallocated: the ledger of node {node.name} has it no more",
            )
        return PrepareRefusal(
            Why.UNKNOWN_CLAIM,
            f"no allocation for claim {claim} in the ledger of node {node.name}{self._how_late(is_live)}",
        )

    def _how_late(self, is_live: bool) -> str:
        if not self._hearing.caught_up:
            return "; the bus has not been heard to the end yet"
        return "" if is_live else "; the bus does not answer"
