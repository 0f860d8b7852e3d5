"""The API's verbs on objects in memory: create, update, patch, delete, bind, read. No HTTP, no waiting.

Whoever holds a store may use it directly, as the stand-in controllers do; the server is one more caller.
A verb either does all it was asked or raises `Refused` and leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.kubeapi.admission import admin_problems, admit, conformed
from tests.kubeapi.apply import Manager, Shares, applied, owned_after_update, with_shares
from tests.kubeapi.history import History, Object, key_of
from tests.kubeapi.identity import Identity
from tests.kubeapi.kinds import NAMESPACES, Kind
from tests.kubeapi.listing import Listing, Page, list_page
from tests.kubeapi.releases import Release, kept_by
from tests.kubeapi.requests import Deletion, Write
from tests.kubeapi.selectors import Selection
from tests.kubeapi.statuses import Cause, already_exists, bad_request, conflict, invalid, not_found
from tests.kubeapi.strategy import (
    bound,
    counted,
    defaulted,
    fresh,
    is_gone,
    marked_for_deletion,
    settled,
)
from tests.kubeapi.targets import Target
from tests.kubeapi.validation import problems_of_change, problems_of_new, problems_of_status

_STALE = "the object has been modified; please apply your changes to the latest version and try again"
_NAME_ATTEMPTS = 8
FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Store:
    """All objects of one small cluster."""

    def __init__(self, identity: Identity | None = None, *, keep: int = 100_000) -> None:
        self.history = History(keep)
        self.release = Release()
        self._identity = identity or Identity()
        for name in FIRST_NAMESPACES:
            self.create(Target(NAMESPACES), {"metadata": {"name": name}})

    def find(self, target: Target) -> Object | None:
        return self.history.get(target.kind, target.key)

    def get(self, target: Target) -> Object:
        stored = self.find(target)
        if stored is None:
            raise not_found(target.subject)
        return stored

    def list(self, selection: Selection, page: Page | None = None) -> Listing:
        return list_page(self.history, selection, page or Page())

    def all(self, kind: Kind) -> tuple[Object, ...]:
        """Every object of a kind, as it is now."""
        return tuple(self.history.objects(kind).values())

    def create(self, target: Target, sent: Object, write: Write | None = None) -> Object:
        write = write or Write()
        made = conformed(target, sent, strict=write.strict)
        if made["metadata"].get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        bare = {**target.kind.header(), "metadata": {}}
        named = self._identified(target, made)
        named = kept_by(self.release, target.kind, None, named)
        owned = owned_after_update(target.kind, bare, named, Manager(write.manager), self._time())
        return self._keep_new(target, owned, write)

    def update(self, target: Target, sent: Object, write: Write | None = None) -> Object:
        write = write or Write()
        old = self.find(target)
        if old is None and target.kind.creates_on_update and not target.subresource:
            return self.create(target, sent, write)
        return self._change(target, self.get(target), sent, write)

    def patch(self, target: Target, patched: Callable[[Object], Any], write: Write | None = None) -> Object:
        """Change what is stored by a function of it, such as a merge patch."""
        old = self.get(target)
        return self._change(target, old, patched(old), write or Write())

    def apply(self, target: Target, sent: Object, write: Write | None = None) -> Object:
        """Server-side apply: creates what is not there, and owns what it says."""
        write = write or Write()
        config = _said_here(target, conformed(target, sent, strict=write.strict))
        manager = Manager(write.manager, "Apply", target.subresource)
        live = self.find(target)
        if live is None and target.subresource:
            raise not_found(target.subject)
        if live is None:
            bare = self._identified(target, {**target.kind.header(), "metadata": {"name": target.name}})
            outcome = applied(target.kind, bare, config, manager, force=write.force, now=self._time())
            made = defaulted(target.kind, outcome.made, self._time())
            return self._keep_new(target, with_shares(target.kind, made, outcome.shares), write)
        self._check_same(target, live, config)
        outcome = applied(target.kind, live, config, manager, force=write.force, now=self._time())
        return self._keep_changed(target, live, outcome.made, write, outcome.shares)

    def bind(self, target: Target, node: str, write: Write | None = None) -> None:
        """Place a pod on a node; only a pod without gates, and only once."""
        pod = self.get(replace(target, subresource=""))
        spec = pod.get("spec", {})
        if spec.get("nodeName"):
            told = f'pod {target.name} is already assigned to node "{spec["nodeName"]}"'
            raise conflict(target.subject, told)
        if spec.get("schedulingGates"):
            raise conflict(target.subject, f"pod {target.name} has non-empty .spec.schedulingGates")
        self._keep(target.kind, bound(pod, node, self._time()), write or Write())

    def delete(self, target: Target, deletion: Deletion | None = None) -> tuple[Object, bool]:
        """The object in its last state, and whether it is gone already."""
        deletion = deletion or Deletion()
        stored = self.get(target)
        self._check_precondition(target, stored, deletion)
        marked = marked_for_deletion(target.kind, stored, self._time(), deletion.grace_seconds)
        gone = is_gone(target.kind, marked)
        if deletion.dry_run:
            return marked, gone
        if gone:
            return self.history.remove(target.kind, target.key), True
        return (stored if marked == stored else self.history.put(target.kind, marked)), False

    def delete_all(self, selection: Selection, deletion: Deletion | None = None) -> tuple[Object, ...]:
        deletion = deletion or Deletion()
        found = self.list(selection).items
        return tuple(self.delete(target_of(selection.kind, each), deletion)[0] for each in found)

    def _identified(self, target: Target, sent: Object) -> dict[str, Any]:
        """The new object with what the server gives it."""
        metadata = self._identity.given(target, sent["metadata"], self._name(target, sent["metadata"]))
        return defaulted(target.kind, fresh(target.kind, {**sent, "metadata": metadata}), self._time())

    def _name(self, target: Target, metadata: Mapping[str, Any]) -> str:
        given, base = metadata.get("name") or target.name, metadata.get("generateName", "")
        if given or not base:
            return str(given)
        for _ in range(_NAME_ATTEMPTS):
            name = self._identity.generated_name(base)
            if self.find(target.named(name)) is None:
                return name
        raise already_exists(target.named(base).subject)

    def _keep_new(self, target: Target, made: dict[str, Any], write: Write) -> Object:
        target = target.named(made["metadata"]["name"])
        admit(self.history, target)
        lacking = admin_problems(self.history, target, None, made)
        _refuse(target, (*problems_of_new(target.kind, made, self.release), *lacking))
        if self.find(target) is not None:
            raise already_exists(target.subject)
        return self._keep(target.kind, made, write)

    def _change(self, target: Target, old: Object, sent: Any, write: Write) -> Object:
        new = conformed(target, sent, strict=write.strict)
        self._check_same(target, old, new)
        return self._keep_changed(target, old, new, write)

    def _keep_changed(
        self, target: Target, old: Object, sent: Object, write: Write, shares: Shares | None = None
    ) -> Object:
        kind = target.kind
        made = settled(kind, old, defaulted(kind, sent, self._time()), target.subresource)
        made = kept_by(self.release, kind, old, made)
        made = counted(kind, old, made)
        lacking = admin_problems(self.history, target, old, made)
        if target.subresource == "status":
            problems = problems_of_status(kind, old, made)
        else:
            problems = problems_of_change(kind, old, made, self.release)
        _refuse(target, (*problems, *lacking))
        if shares is None:
            manager = Manager(write.manager, "Update", target.subresource)
            made = owned_after_update(kind, old, made, manager, self._time())
        else:
            made = with_shares(kind, made, shares)
        return old if made == old else self._keep(kind, made, write)

    def _keep(self, kind: Kind, made: Object, write: Write) -> Object:
        """Store it, unless this write took away the last thing that held a deleted object."""
        if write.dry_run:
            return made
        if is_gone(kind, made):
            self.history.remove(kind, key_of(made))
            return made
        return self.history.put(kind, made)

    def _check_same(self, target: Target, old: Object, sent: Object) -> None:
        given, stored = sent["metadata"], old["metadata"]
        if given.get("uid") and given["uid"] != stored["uid"]:
            raise conflict(target.subject, _uid_mismatch(given["uid"], stored["uid"]))
        if given.get("resourceVersion") and given["resourceVersion"] != stored["resourceVersion"]:
            raise conflict(target.subject, _STALE)

    def _check_precondition(self, target: Target, stored: Object, deletion: Deletion) -> None:
        uid, version = stored["metadata"]["uid"], stored["metadata"]["resourceVersion"]
        if deletion.uid and deletion.uid != uid:
            raise conflict(target.subject, _uid_mismatch(deletion.uid, uid))
        if deletion.resource_version and deletion.resource_version != version:
            asked = deletion.resource_version
            told = f"ResourceVersion in precondition: {asked}, ResourceVersion in object meta: {version}"
            raise conflict(target.subject, f"Precondition failed: {told}")

    def _time(self) -> str:
        return self._identity.time()


def target_of(kind: Kind, stored: Object, subresource: str = "") -> Target:
    """Where an object is found again."""
    metadata = stored["metadata"]
    return Target(kind, metadata.get("namespace", ""), metadata["name"], subresource)


def _uid_mismatch(asked: str, stored: str) -> str:
    return f"Precondition failed: UID in precondition: {asked}, UID in object meta: {stored}"


def _refuse(target: Target, problems: Iterable[Cause]) -> None:
    if found := tuple(problems):
        raise invalid(target.invalid_subject, found)


def _said_here(target: Target, config: dict[str, Any]) -> dict[str, Any]:
    """The part of an applied configuration this door takes: status here, all else there."""
    if target.subresource == "status":
        metadata = {
            key: config["metadata"][key]
            for key in ("name", "uid", "resourceVersion")
            if key in config["metadata"]
        }
        return {**target.kind.header(), "metadata": metadata, "status": config.get("status", {})}
    return {key: value for key, value in config.items() if key != "status" or not target.kind.has_status}
