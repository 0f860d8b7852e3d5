"""The documents by which clients find out what is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.kinds import KINDS, Kind

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


def documents() -> Mapping[str, Mapping[str, Any]]:
    """Every discovery document, by its path."""
    groups = sorted({each.group for each in KINDS if each.group})
    found: dict[str, Mapping[str, Any]] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/api/v1": _resources("", "v1"),
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups]},
    }
    for name in groups:
        found[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}
        found[f"/apis/{name}/v1"] = _resources(name, "v1")
    return found


def _group(name: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _resources(group: str, version: str) -> dict[str, Any]:
    kinds = [each for each in KINDS if (each.group, each.version) == (group, version)]
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
