"""The table of kinds: what is served under which name, and how each kind behaves on a write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.kubeapi import device_shapes, shapes
from tests.kubeapi.schema import Record
from tests.kubeapi.statuses import Subject


@dataclass(frozen=True, eq=False)
class Kind:
    """One row; there is one value per kind, compared by identity."""

    group: str
    version: str
    kind: str
    plural: str
    shape: Record
    namespaced: bool = True
    has_status: bool = False
    keeps_status_on_create: bool = False
    """A node registers itself together with its status; every other status is wiped."""
    counts_generations: bool = False
    creates_on_update: bool = False
    field_paths: tuple[str, ...] = ()
    """What field selectors may ask besides `metadata.name` and `metadata.namespace`."""
    subresources: tuple[str, ...] = ()
    shown_when_deleted: bool = False
    """The answer to a deletion is the object, and not that it succeeded."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def subject(self, name: str) -> Subject:
        return Subject(self.group, self.plural, name)

    def header(self) -> dict[str, Any]:
        return {"kind": self.kind, "apiVersion": self.api_version}


def _core(kind: str, plural: str, shape: Record, **traits: Any) -> Kind:
    return Kind("", "v1", kind, plural, shape, **traits)


def _resource(kind: str, plural: str, shape: Record, version: str = "v1", **traits: Any) -> Kind:
    return Kind("resource.k8s.io", version, kind, plural, shape, shown_when_deleted=True, **traits)


def _taint_rules(version: str) -> Kind:
    return _resource(
        "DeviceTaintRule",
        "devicetaintrules",
        device_shapes.TAINT_RULE,
        version,
        namespaced=False,
        has_status=True,
        counts_generations=True,
    )


NAMESPACES = _core(
    "Namespace",
    "namespaces",
    shapes.NAMESPACE,
    namespaced=False,
    has_status=True,
    field_paths=("status.phase",),
    subresources=("finalize",),
)
NODES = _core(
    "Node",
    "nodes",
    shapes.NODE,
    namespaced=False,
    has_status=True,
    keeps_status_on_create=True,
)
PODS = _core(
    "Pod",
    "pods",
    shapes.POD,
    has_status=True,
    counts_generations=True,
    field_paths=("spec.nodeName", "spec.schedulerName", "spec.serviceAccountName", "status.phase"),
    subresources=("binding",),
    shown_when_deleted=True,
)
EVENTS = _core(
    "Event",
    "events",
    shapes.OPEN,
    creates_on_update=True,
    field_paths=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "reason",
        "type",
    ),
)
NEW_EVENTS = Kind("events.k8s.io", "v1", "Event", "events", shapes.OPEN)
"""Apart from those of the core here; a real server keeps both as one."""
SERVICE_ACCOUNTS = _core("ServiceAccount", "serviceaccounts", shapes.OPEN, shown_when_deleted=True)
SECRETS = _core("Secret", "secrets", shapes.SECRET, field_paths=("type",))
CONFIG_MAPS = _core("ConfigMap", "configmaps", shapes.CONFIG_MAP)
LEASES = Kind("coordination.k8s.io", "v1", "Lease", "leases", shapes.LEASE, creates_on_update=True)
SLICES = _resource(
    "ResourceSlice",
    "resourceslices",
    device_shapes.SLICE,
    namespaced=False,
    counts_generations=True,
    field_paths=("spec.nodeName", "spec.driver"),
)
CLAIMS = _resource("ResourceClaim", "resourceclaims", device_shapes.CLAIM, has_status=True)
CLAIM_TEMPLATES = _resource("ResourceClaimTemplate", "resourceclaimtemplates", device_shapes.CLAIM_TEMPLATE)
DEVICE_CLASSES = _resource(
    "DeviceClass", "deviceclasses", device_shapes.DEVICE_CLASS, namespaced=False, counts_generations=True
)
TAINT_RULES = _taint_rules("v1beta2")
"""As 1.36 serves them with its gate on."""
OTHER_TAINT_RULES = (_taint_rules("v1"), _taint_rules("v1alpha3"))
"""As 1.37 and 1.35 do. Each is a kind of its own here: an upgrade would have to take the objects along."""
EVERY_TAINT_RULES = (TAINT_RULES, *OTHER_TAINT_RULES)

KINDS = (
    NAMESPACES,
    NODES,
    PODS,
    EVENTS,
    NEW_EVENTS,
    SERVICE_ACCOUNTS,
    SECRETS,
    CONFIG_MAPS,
    LEASES,
    SLICES,
    CLAIMS,
    CLAIM_TEMPLATES,
    DEVICE_CLASSES,
    TAINT_RULES,
)
"""What is served unless a test has it otherwise."""
BY_RESOURCE = {(each.group, each.version, each.plural): each for each in (*KINDS, *OTHER_TAINT_RULES)}
BY_KIND = {(each.api_version, each.kind): each for each in KINDS}
