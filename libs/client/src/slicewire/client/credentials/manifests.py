"""What Kubernetes needs of a folder of credentials, as YAML: Secrets of the bus and its parts, the authority.

No node's file is among it: a Secret that all pods of a DaemonSet mount would give every node every name.
"""

from __future__ import annotations

import base64
from typing import Any

import yaml

from slicewire.client.credentials import certificates, issuing
from slicewire.client.credentials.folder import BadFolder, Folder

SYSTEM_NAMESPACE, NODES_NAMESPACE = "slicewire-system", "slicewire-nodes"
_IN_CLUSTER = ("allocator", "publisher")


def documents(folder: Folder) -> str:
    """Raises `BadFolder` where a file is missing."""
    server = {
        name.partition("/")[2]: _needed(folder, name)
        for name in (issuing.IDENTITIES, certificates.SERVER, "server/ca.crt")
    }
    made = [_secret("slicewire-bus-server", server)]
    for part in _IN_CLUSTER:
        its = {"bus.creds": _needed(folder, issuing.path_of(part, part))}
        made.append(_secret(f"slicewire-bus-{part}", its))
    authority = _needed(folder, certificates.AUTHORITY_PUBLIC).decode()
    made += [_authority(namespace, authority) for namespace in (SYSTEM_NAMESPACE, NODES_NAMESPACE)]
    return yaml.safe_dump_all(made, sort_keys=False)


def _needed(folder: Folder, name: str) -> bytes:
    found = folder.read(name)
    if found is None:
        raise BadFolder(f"{folder.path / name} is missing: run `slicewire credentials init` again")
    return found


def _secret(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    data = {key: base64.b64encode(content).decode() for key, content in files.items()}
    metadata = {"name": name, "namespace": SYSTEM_NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _authority(namespace: str, authority: str) -> dict[str, Any]:
    metadata = {"name": "slicewire-bus-authority", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": authority}}
