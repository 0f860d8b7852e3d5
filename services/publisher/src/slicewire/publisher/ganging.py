"""Whose turn it is among the gangs that wait: the clock to `core.gangs`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from slicewire.common.logs import Log
from slicewire.common.messages import CLAIMS
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.gangs import Gang, GangKey, Turn, admitted, is_complete, next_turn
from slicewire.publisher.core.pods import Pod
from slicewire.publisher.facts import to_be_written
from slicewire.publisher.keys import FactKey, Key, PodKey
from slicewire.publisher.worklist import Again

_log = Log("publisher.gangs")


class Gangs:
    def __init__(self, cluster: Cluster, patience_seconds: float) -> None:
        self._cluster = cluster
        self._patience = patience_seconds
        self._turn = Turn()

    def take_turns(self) -> tuple[Key, ...]:
        """What has to be looked at because somebody else collects now, or nobody."""
        pods = self._cluster.waiting.gangs()
        gangs = [self._gang(key, some) for key, some in pods.items()]
        now = asyncio.get_running_loop().time()
        before, self._turn = self._turn, next_turn(self._turn, gangs, now, self._patience)
        if before.key != self._turn.key and self._turn.key is not None:
            _log.info("gang collects", gang=self._turn.key.name, namespace=self._turn.key.namespace)
        allowed = admitted(self._turn, gangs)
        changed = allowed ^ self._cluster.waiting.admitted_gangs
        self._cluster.waiting.admitted_gangs = allowed
        return tuple(each for key in changed for pod in pods.get(key, ()) for each in self._keys(pod))

    def again(self) -> None:
        """Raises `Again` for when the turn ends, if there is one."""
        if self._turn.key is not None:
            left = self._turn.since + self._patience - asyncio.get_running_loop().time()
            raise Again(max(left, 0.0))

    def _gang(self, key: GangKey, pods: tuple[Pod, ...]) -> Gang:
        claims = [self._cluster.waiting.claims_of(pod) for pod in pods]
        there = [claim for found in claims if found is not None for claim in found]
        served = all(
            claim.status.allocation is not None or to_be_written(claim, self._cluster) is not None
            for claim in there
        )
        youngest = max((pod.metadata.creation_timestamp or "" for pod in pods), default="")
        whole = is_complete(pods) and all(found is not None for found in claims)
        return Gang(key=key, since=youngest, is_complete=whole, is_served=served)

    def _keys(self, pod: Pod) -> Iterator[Key]:
        yield PodKey(pod.metadata.namespace, pod.metadata.name)
        for claim in self._cluster.waiting.claims_of(pod) or ():
            yield FactKey(CLAIMS.kind, claim.uid)
