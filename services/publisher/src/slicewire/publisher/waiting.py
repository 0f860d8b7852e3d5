"""The claims there are, and the pods behind our gate that wait for them: who uses what, and with whom.

Part of what `cluster` knows, and owned as that is. An older version than the one known is old news.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slicewire.common.messages import ALLOCATION_LABEL, CLAIMS
from slicewire.common.model import ClaimUID, ResourceClaim
from slicewire.publisher.core.gangs import GangKey, gang_of, joined
from slicewire.publisher.core.pods import Pod, claim_names, is_gated
from slicewire.publisher.gatedpods import GatedPods, pod_key
from slicewire.publisher.keys import FactKey, Key, PodKey, TurnKey
from slicewire.publisher.stored import version_of

_ObjectKey = tuple[str, str]


class Waiting:
    def __init__(self) -> None:
        self.claims: dict[ClaimUID, ResourceClaim] = {}
        self.pods = GatedPods()
        """Pods behind our gate, and those whose gate we lifted until the watch shows it."""
        self.admitted_gangs: frozenset[GangKey] = frozenset()
        """Gangs whose claims are ours to decide."""
        self._claim_uids: dict[_ObjectKey, ClaimUID] = {}

    # What Kubernetes shows.

    def see_claim(self, found: ResourceClaim) -> Iterator[ResourceClaim]:
        """The claims that this is news of: one of the same name that it replaces, then itself."""
        name = (found.metadata.namespace, found.metadata.name)
        before = self._claim_uids.get(name)
        if before is not None and before != found.uid:
            replaced = self.claims[before]
            self.lose_claim(replaced)
            yield replaced
        known = self.claims.get(found.uid)
        if known is None or version_of(found) >= version_of(known):
            self.claims[found.uid] = found
            self._claim_uids[name] = found.uid
        yield found

    def lose_claim(self, found: ResourceClaim) -> None:
        self.claims.pop(found.uid, None)
        name = (found.metadata.namespace, found.metadata.name)
        if self._claim_uids.get(name) == found.uid:
            del self._claim_uids[name]

    def see_pod(self, found: Pod) -> Iterator[Key]:
        known = self.pods.get(pod_key(found))
        if known is not None and version_of(found) < version_of(known):
            return
        if is_gated(found, ALLOCATION_LABEL):
            self.pods.put(found)
            yield from self._about_pod(found)
        else:
            yield from self.lose_pod(found)

    def lose_pod(self, found: Pod) -> Iterator[Key]:
        pod = self.pods.pop(pod_key(found))
        if pod is not None:
            yield from self._claim_keys(pod)
            if gang_of(pod) is not None:
                yield TurnKey()

    def keep_claim(self, found: ResourceClaim) -> None:
        """As our own write left it, without waiting to see it."""
        known = self.claims.get(found.uid)
        if known is not None and version_of(found) >= version_of(known):
            self.claims[found.uid] = found

    def keep_pod(self, found: Pod) -> None:
        """As our own write left it. That its gate is lifted is news once the watch shows it: only then
        may its claims be told without it."""
        known = self.pods.get(pod_key(found))
        if known is not None and version_of(found) >= version_of(known):
            self.pods.put(found)

    # What may be asked.

    def pod(self, key: PodKey) -> Pod | None:
        """A pod that waits behind our gate."""
        found = self.pods.get(key)
        return found if found is not None and is_gated(found, ALLOCATION_LABEL) else None

    def claims_of(self, pod: Pod) -> tuple[ResourceClaim, ...] | None:
        """All claims of a pod; None while one of them is not there yet."""
        names = claim_names(pod)
        if names is None:
            return None
        uids = [self._claim_uids.get((pod.metadata.namespace, name)) for name in names]
        found = [self.claims[uid] for uid in uids if uid is not None]
        return tuple(found) if len(found) == len(uids) else None

    def gated_pods(self, claim: ResourceClaim) -> tuple[Pod, ...]:
        """The pods behind our gate that use this claim, the oldest first."""
        return self.pods.using(claim.metadata.namespace, claim.metadata.name)

    def deciding_pods(self, namespace: str, claim: str) -> tuple[Pod, ...]:
        """The pods that use a claim of this name and may have theirs decided, the oldest first: they are all
        there, and it is the turn of their gang."""
        found = self.pods.using(namespace, claim)
        return tuple(pod for pod in found if self.claims_of(pod) is not None and self._admits(pod))

    def uids(self, namespace: str, names: Iterable[str]) -> tuple[ClaimUID, ...]:
        """Of the claims of these names that are there."""
        found = (self._claim_uids.get((namespace, name)) for name in names)
        return tuple(uid for uid in found if uid is not None)

    def gangs(self) -> dict[GangKey, tuple[Pod, ...]]:
        """The pods behind our gate that belong to a gang."""
        return {gang: pods for gang in self.pods.gangs() if (pods := self.gang(gang))}

    def gang(self, key: GangKey) -> tuple[Pod, ...]:
        """The pods of this one that are behind our gate."""
        return tuple(pod for pod in self.pods.of_gang(key) if is_gated(pod, ALLOCATION_LABEL))

    def _admits(self, pod: Pod) -> bool:
        """Whether the pod may have its claims decided: it is in no gang, or its gang has its turn."""
        gang = gang_of(pod)
        return gang is None or gang in self.admitted_gangs

    def about_pods(self, claim: ResourceClaim) -> Iterator[Key]:
        """The pods that use it, and all that goes with them."""
        for pod in self.gated_pods(claim):
            yield from self._about_pod(pod)

    def _about_pod(self, pod: Pod) -> Iterator[Key]:
        """It, what goes with it, and, of a gang, the others and whose turn it is."""
        yield pod_key(pod)
        yield from self._claim_keys(pod)
        gang = gang_of(pod)
        if gang is not None:
            yield TurnKey()
            yield from map(pod_key, self.gang(gang))

    def _claim_keys(self, pod: Pod) -> Iterator[Key]:
        """Of its claims, and of all that are decided with them while it is there."""
        names, namespace = claim_names(pod), pod.metadata.namespace

        def users(name: str) -> tuple[Pod, ...]:
            itself = (pod,) if name in (names or ()) else ()
            return (*itself, *self.pods.using(namespace, name))

        if names:
            for uid in self.uids(namespace, joined(names[0], users)):
                yield FactKey(CLAIMS.kind, uid)
