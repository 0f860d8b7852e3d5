"""What a request is about, and the URL paths that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.kubeapi.kinds import BY_RESOURCE, NAMESPACES, TAINT_RULES, Kind
from tests.kubeapi.older import BETAS, GROUP
from tests.kubeapi.statuses import Subject, no_such_resource


@dataclass(frozen=True)
class Target:
    """A collection (no name), an object, or a subresource of it."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    version: str = ""
    """The beta in which it is asked for, where that is not the version it is stored in."""

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def subject(self) -> Subject:
        return self.kind.subject(self.name)

    @property
    def invalid_subject(self) -> Subject:
        return Subject(self.kind.group, self.kind.kind, self.name)

    def named(self, name: str) -> Target:
        return replace(self, name=name)


def read_path(path: str) -> Target:
    """`/api/v1/…` and `/apis/<group>/<version>/…`. Raises the 404 of an unknown resource."""
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            return _read_rest("", version, rest)
        case ["apis", group, version, *rest] if group == GROUP and version in BETAS and _is_converted(rest):
            return replace(_read_rest(group, "v1", rest), version=version)
        case ["apis", group, version, *rest]:
            return _read_rest(group, version, rest)
    raise no_such_resource()


def _is_converted(rest: list[str]) -> bool:
    """Taint rules are not: each of their versions is a kind of its own here."""
    return not rest or rest[0] != TAINT_RULES.plural


def _read_rest(group: str, version: str, rest: list[str]) -> Target:
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in {"status", *NAMESPACES.subresources}:
        namespace, rest = rest[1], rest[2:]
    kind = BY_RESOURCE.get((group, version, rest[0] if rest else ""))
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise no_such_resource()
    target = Target(kind, namespace, *rest[1:])
    known = {"", *kind.subresources, *(("status",) if kind.has_status else ())}
    if target.subresource not in known or (target.name and kind.namespaced and not namespace):
        raise no_such_resource()
    return target
