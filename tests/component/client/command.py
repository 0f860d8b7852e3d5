"""The `slicewire` command as people and scripts run it: a process of its own, on a real bus."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.component.allocator.world import SECONDS

COMMAND = str(Path(sys.executable).parent / "slicewire")
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("SLICEWIRE_")}
ALLOCATE = ("claim", "--no-prepare", "-f", "-")


class Ended(msgspec.Struct, frozen=True):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Slicewire:
    """The command, told where the bus is as its users would."""

    def __init__(self, url: str, folder: Path, **settings: str) -> None:
        self._environ = {
            **ENVIRON,
            "SLICEWIRE_NATS_URL": url,
            "XDG_STATE_HOME": str(folder),
            "COLUMNS": "200",
            **settings,
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            COMMAND, *arguments, env=self._environ, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *arguments: str, given: str = "") -> Ended:
        process = await self.start(*arguments)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Ended(process.returncode, out.decode(), err.decode())


def yaml_claim(name: str = "train", count: int = 1) -> str:
    return f"""
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {{name: {name}}}
spec: {{devices: {{requests: [{{name: gpu, exactly: {{deviceClassName: gpu.nvidia.com, count: {count}}}}}]}}}}
---
"""


def yaml_pod(name: str, claim: str) -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec: {{resourceClaims: [{{name: gpu, resourceClaimName: {claim}}}]}}
---
"""
