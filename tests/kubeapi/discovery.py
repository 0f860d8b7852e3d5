"""The documents by which clients find out what is served."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from tests.kubeapi.kinds import Kind
from tests.kubeapi.older import has_betas

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}


def documents(
    kinds: Collection[Kind], device_versions: Collection[str] = ("v1",), minor: int = 36
) -> Mapping[str, Mapping[str, Any]]:
    """Every discovery document where these are served, by its path, the device API in these versions."""
    kinds = [each for kind in kinds for each in _in_versions(kind, device_versions)]
    release = {**VERSION, "minor": str(minor), "gitVersion": f"v1.{minor}.2"}
    groups = sorted({each.group for each in kinds if each.group})
    groups_of = {name: _group(name, _versions(name, kinds)) for name in groups}
    found: dict[str, Mapping[str, Any]] = {
        "/version": release,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/api/v1": _resources("", "v1", kinds),
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(groups_of.values())},
    }
    for name in groups:
        found[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **groups_of[name]}
        for version in _versions(name, kinds):
            found[f"/apis/{name}/{version}"] = _resources(name, version, kinds)
    return found


def _in_versions(kind: Kind, versions: Collection[str]) -> list[Kind]:
    return [replace(kind, version=each) for each in versions] if has_betas(kind) else [kind]


def _versions(group: str, kinds: Collection[Kind]) -> tuple[str, ...]:
    """The stable one first, then betas, then alphas."""
    found = {each.version for each in kinds if each.group == group}
    return tuple(sorted(found, key=lambda version: ("alpha" in version, "beta" in version, version)))


def _group(name: str, versions: tuple[str, ...]) -> dict[str, Any]:
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def _resources(group: str, version: str, served: Collection[Kind]) -> dict[str, Any]:
    kinds = [each for each in served if (each.group, each.version) == (group, version)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}".lstrip("/"),
        "resources": [entry for each in kinds for entry in _entries(each)],
    }


def _entries(kind: Kind) -> list[dict[str, Any]]:
    about = {"singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind}
    entries = [{"name": kind.plural, **about, "verbs": _VERBS}]
    if kind.has_status:
        entries.append(
            {
                "name": f"{kind.plural}/status",
                **about,
                "singularName": "",
                "verbs": ["get", "patch", "update"],
            }
        )
    return entries
