"""Valid objects to begin a test with: only what the test is about needs to be spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]
DRIVER = "gpu.example.com"


def a_device(name: str = "gpu-0", **fields: Any) -> Object:
    return {"name": name, "attributes": {"model": {"string": "LATEST-GPU"}}, **fields}


def a_slice(
    name: str = "slice-1", devices: Iterable[Object] | None = ({"name": "gpu-0"},), **spec: Any
) -> Object:
    """One slice that is a whole pool, local to its node; without `devices` where they are None."""
    pool = {"name": spec.get("nodeName") or "node-1", "generation": 1, "resourceSliceCount": 1}
    shown = None if devices is None else list(devices)
    fields = {"driver": DRIVER, "nodeName": "node-1", "pool": pool, "devices": shown, **spec}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


def a_request(name: str = "gpu", **exactly: Any) -> Object:
    return {"name": name, "exactly": {"deviceClassName": "gpu.example.com", **exactly}}


def a_claim(name: str = "claim-1", requests: Iterable[Object] | None = None, **devices: Any) -> Object:
    asked = [a_request()] if requests is None else list(requests)
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": {"devices": {"requests": asked, **devices}},
    }


def a_template(name: str = "template-1", requests: Iterable[Object] | None = None) -> Object:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": a_claim(requests=requests)["spec"]},
    }


def an_allocation(device: str = "gpu-0", node: str = "node-1", **result: Any) -> Object:
    given = {"request": "gpu", "driver": DRIVER, "pool": node, "device": device, **result}
    at_node = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "devices": {"results": [given]},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [at_node]}]},
    }


def a_pod(name: str = "pod-1", claims: Iterable[Mapping[str, str]] = (), **spec: Any) -> Object:
    container = {"name": "main", "image": "example.com/none:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "resourceClaims": list(claims), **spec},
    }


def a_taint_rule(
    name: str = "rule-1", version: str = "v1beta2", effect: str = "NoSchedule", **selector: str
) -> Object:
    """Without a `selector` there is none."""
    spec: Object = {"taint": {"key": "example.com/maintenance", "effect": effect}}
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "DeviceTaintRule",
        "metadata": {"name": name},
        "spec": {**spec, "deviceSelector": selector} if selector else spec,
    }


def a_node(name: str = "node-1", **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def reserved_for(pod: Mapping[str, Any]) -> Object:
    """An entry of a claim's `reservedFor`."""
    return {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
