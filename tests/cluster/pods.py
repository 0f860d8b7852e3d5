"""Pods and claims as short as a test wants them; the image is one that is here."""

from __future__ import annotations

from typing import Any

from tests.cluster.images import BUSYBOX, WAIT


def template(name: str, device_class: str, profile: str = "") -> dict[str, Any]:
    """For one device of a class, a partition of a profile."""
    request: dict[str, Any] = {"deviceClassName": device_class}
    if profile:
        expression = f"device.attributes['gpu.nvidia.com'].profile == '{profile}'"
        request["selectors"] = [{"cel": {"expression": expression}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "device", "exactly": request}]}}},
    }


def pod_of(name: str, template_name: str) -> dict[str, Any]:
    """A pod with a claim of its own, made from a template."""
    pod = plain_pod(name)
    pod["spec"]["resourceClaims"] = [{"name": "device", "resourceClaimTemplateName": template_name}]
    pod["spec"]["containers"][0]["resources"] = {"claims": [{"name": "device"}]}
    return pod


def plain_pod(name: str) -> dict[str, Any]:
    container = {
        "name": "cuda",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": list(WAIT),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [container],
        },
    }
