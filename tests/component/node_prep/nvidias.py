"""What NVIDIA's DRA driver leaves on a node, as it writes it: the CDI file of a claim, and its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.unit.node_prep.builders import DRIVER, POOL


def cdi_file(root: Path, uid: str, *devices: str, nodes: tuple[str, ...] = ("/dev/nvidia0",)) -> Path:
    """Of a claim that it has prepared."""
    edits = {"deviceNodes": [{"path": node} for node in nodes]}
    document = {
        "cdiVersion": "0.5.0",
        "containerEdits": {
            "deviceNodes": [{"path": "/dev/nvidiactl"}],
            "env": ["NVIDIA_CTK_LIBCUDA_DIR=/usr/lib/x86_64-linux-gnu", "NVIDIA_VISIBLE_DEVICES=void"],
            "hooks": [
                {
                    "args": ["nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib/x86_64-linux-gnu"],
                    "env": ["NVIDIA_CTK_DEBUG=false"],
                    "hookName": "createContainer",
                    "path": "/var/lib/kubelet/plugins/gpu.nvidia.com/nvidia-cdi-hook",
                }
            ],
        },
        "devices": [{"containerEdits": edits, "name": f"{uid}-{device}"} for device in devices],
        "kind": "k8s.gpu.nvidia.com/claim",
    }
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"k8s.gpu.nvidia.com-claim_{uid}.yaml"
    path.write_text("---\n" + yaml.safe_dump(document))
    return path


def checkpoint(boot: str, **claims: dict[str, Any]) -> bytes:
    """By UID, with `_` for `-`."""
    named = {uid.replace("_", "-"): claim for uid, claim in claims.items()}
    completed = {
        uid: {"status": claim["status"], "preparedDevices": claim["preparedDevices"]}
        for uid, claim in named.items()
        if claim["checkpointState"] == "PrepareCompleted"
    }
    document = {
        "checksum": 2871456093,
        "v1": {"preparedClaims": completed},
        "v2": {"checksum": 1146890211, "preparedClaims": named, "nodeBootID": boot},
    }
    return json.dumps(document).encode()


def completed(uid: str, kind: str, device: str, **config: Any) -> dict[str, Any]:
    """A claim in it that was prepared."""
    given = {
        "Requests": ["gpu"],
        "PoolName": POOL,
        "DeviceName": device,
        "CDIDeviceIDs": [f"k8s.gpu.nvidia.com/claim={uid}-{device}"],
        "Metadata": None,
    }
    return {
        **begun(device),
        "checkpointState": "PrepareCompleted",
        "preparedDevices": [{"devices": [{kind: {"info": {}, "device": given}}], "configState": config}],
        "name": f"named-{uid}",
        "namespace": "default",
    }


def begun(device: str) -> dict[str, Any]:
    """A claim in it that the driver was about to prepare when it ended."""
    result = {"request": "gpu", "driver": DRIVER, "pool": POOL, "device": device}
    return {
        "checkpointState": "PrepareStarted",
        "status": {"allocation": {"devices": {"results": [result]}}},
        "preparedDevices": None,
    }
