"""What a pod must satisfy as far as claims and scheduling go; containers are not judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.validation.formats import dns_label, dns_subdomain, label_key
from tests.kubeapi.validation.problems import (
    Problems,
    forbidden,
    invalid,
    required,
    unique_names,
    unknown,
)

_MUTABLE = {"schedulingGates", "tolerations", "activeDeadlineSeconds", "containers", "initContainers"}
_MUTABLE_WHILE_GATED = _MUTABLE | {"nodeSelector", "affinity"}
_FORBIDDEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to"
    " existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was"
    " previously negative)"
)


def check_pod(pod: Mapping[str, Any]) -> Problems:
    spec = pod.get("spec", {})
    if not spec.get("containers"):
        yield required("spec.containers")
    yield from unique_names(spec.get("containers", []), "spec.containers", told_at_key=True)
    yield from unique_names(spec.get("resourceClaims", []), "spec.resourceClaims", told_at_key=True)
    for index, entry in enumerate(spec.get("resourceClaims", ())):
        yield from _check_claim_entry(entry, f"spec.resourceClaims[{index}]")
    yield from _check_container_claims(spec)
    yield from unique_names(spec.get("schedulingGates", []), "spec.schedulingGates")
    for index, gate in enumerate(spec.get("schedulingGates", ())):
        yield from label_key(gate.get("name", ""), f"spec.schedulingGates[{index}].name")
    if spec.get("schedulingGates") and spec.get("nodeName"):
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def _check_claim_entry(entry: Mapping[str, Any], field: str) -> Problems:
    yield from dns_label(entry.get("name", ""), f"{field}.name")
    sources = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if key in entry]
    if len(sources) != 1:
        told = "must specify exactly one of: `resourceClaimName`, `resourceClaimTemplateName`"
        yield invalid(field, entry, told)
    for source in sources:
        yield from dns_subdomain(entry[source], f"{field}.{source}")


def _check_container_claims(spec: Mapping[str, Any]) -> Problems:
    known = {entry.get("name") for entry in spec.get("resourceClaims", ())}
    for index, container in enumerate(spec.get("containers", ())):
        for number, used in enumerate(container.get("resources", {}).get("claims", ())):
            if used.get("name") not in known:
                at = f"spec.containers[{index}].resources.claims[{number}].name"
                yield unknown(at, used.get("name"))


def check_pod_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problems:
    before, after = old.get("spec", {}), new.get("spec", {})
    mutable = _MUTABLE_WHILE_GATED if before.get("schedulingGates") else _MUTABLE
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if changed - mutable:
        yield forbidden("spec", f"{_FORBIDDEN} (changed: {', '.join(sorted(changed - mutable))})")
    gates = {gate.get("name") for gate in before.get("schedulingGates", ())}
    for gate in after.get("schedulingGates", ()):
        if gate.get("name") not in gates:
            yield forbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gate")
