"""Does a publisher lead? Its lease in Kubernetes, as kubectl shows it: nothing here speaks to its API."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from slicewire.client.doctorfindings import Finding, ago, error, fine, warn
from slicewire.common.model import wire

NAMESPACE, NAME = "kube-system", "slicewire-publisher"
_ASK_SECONDS = 5
_PATIENCE_SECONDS = 8.0


async def lease_findings(kubeconfig: Path, now: float) -> tuple[Finding, ...]:
    program = shutil.which("kubectl")
    if program is None:
        return (
            warn("publishers", "kubectl is not here", "Their lease cannot be looked at.", "Install kubectl."),
        )
    asked = ("get", "lease", NAME, "-n", NAMESPACE, "-o", "json", f"--request-timeout={_ASK_SECONDS}s")
    process = await asyncio.create_subprocess_exec(
        program,
        f"--kubeconfig={kubeconfig}",
        *asked,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            said, complained = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return (_no_word(f"kubectl has not answered within {_PATIENCE_SECONDS:g} s"),)
    if process.returncode:
        return (_no_word(complained.decode(errors="replace").strip().rpartition("\n")[2]),)
    return (judged(said, now),)


def _no_word(reason: str) -> Finding:
    if "NotFound" in reason:
        return error(
            "publishers",
            f"there is no lease {NAMESPACE}/{NAME}",
            "No publisher has ever led: Kubernetes is told nothing, and its claims are not heard.",
            "Start slicewire-publisher; read its log.",
        )
    return error(
        "publishers",
        reason,
        "Whether one leads is not known, and none can do anything without Kubernetes' API.",
        "See that `kubectl get nodes` works with this kubeconfig.",
    )


def judged(said: bytes, now: float) -> Finding:
    """Who leads, by the lease."""
    try:
        spec = wire.decode(said, dict[str, Any])["spec"]
        renewed = datetime.fromisoformat(spec["renewTime"]).timestamp()
        holder, seconds = str(spec.get("holderIdentity") or ""), int(spec["leaseDurationSeconds"])
    except (wire.Malformed, KeyError, TypeError, ValueError, AttributeError) as fault:
        return _no_word(f"the lease cannot be read: {fault}")
    age = now - renewed
    if holder and age <= seconds:
        return fine("publishers", f"{holder} leads, heard {ago(age)} ago")
    return error(
        "publishers",
        f"nobody leads: {holder or 'the last one'} was heard {ago(age)} ago",
        "Kubernetes is told nothing, and its claims are not heard. What is allocated stays so.",
        "Start slicewire-publisher; if it runs, its log says why it cannot take the lease.",
    )
