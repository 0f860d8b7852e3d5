"""The pods that are kept, found by the claims they use and by their gang.

Part of what `cluster` knows, and owned as that is. Thousands may wait at once: whatever is asked of one claim
or one gang costs as much as there is of it, not as there are pods. Refuses to judge: the kept are whatever
`waiting` keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from slicewire.publisher.core.gangs import GangKey, gang_of
from slicewire.publisher.core.pods import Pod, claim_names, oldest_first
from slicewire.publisher.keys import PodKey

_ClaimKey = tuple[str, str]
_Keys = dict[PodKey, None]
T = TypeVar("T")


class GatedPods:
    def __init__(self) -> None:
        self._pods: dict[PodKey, Pod] = {}
        self._users: dict[_ClaimKey, _Keys] = {}
        self._gangs: dict[GangKey, _Keys] = {}

    def __iter__(self) -> Iterator[PodKey]:
        return iter(self._pods)

    def values(self) -> tuple[Pod, ...]:
        return tuple(self._pods.values())

    def get(self, key: PodKey) -> Pod | None:
        return self._pods.get(key)

    def put(self, pod: Pod) -> None:
        """As it is now."""
        key = pod_key(pod)
        if key in self._pods:
            self._strike(key)
        self._pods[key] = pod
        for name in claim_names(pod) or ():
            self._users.setdefault((key.namespace, name), {})[key] = None
        gang = gang_of(pod)
        if gang is not None:
            self._gangs.setdefault(gang, {})[key] = None

    def pop(self, key: PodKey) -> Pod | None:
        if key not in self._pods:
            return None
        self._strike(key)
        return self._pods.pop(key)

    def using(self, namespace: str, claim: str) -> tuple[Pod, ...]:
        """The pods that use a claim of this name, the oldest first."""
        return oldest_first(self._pods[key] for key in self._users.get((namespace, claim), ()))

    def of_gang(self, gang: GangKey) -> tuple[Pod, ...]:
        return tuple(self._pods[key] for key in self._gangs.get(gang, ()))

    def gangs(self) -> tuple[GangKey, ...]:
        """Those that a pod belongs to."""
        return tuple(self._gangs)

    def _strike(self, key: PodKey) -> None:
        """Out of what it is found by, as it was when it was put there."""
        pod = self._pods[key]
        for name in claim_names(pod) or ():
            _remove(self._users, (key.namespace, name), key)
        gang = gang_of(pod)
        if gang is not None:
            _remove(self._gangs, gang, key)


def pod_key(pod: Pod) -> PodKey:
    return PodKey(pod.metadata.namespace, pod.metadata.name)


def _remove(found: dict[T, _Keys], by: T, key: PodKey) -> None:
    del found[by][key]
    if not found[by]:
        del found[by]
