"""Loads modules of the host's kernel, with the host's own program. It blocks: call it in a thread."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from slicewire.node_prep.core.refusal import PrepareRefusal, Why

Load = Callable[[str], PrepareRefusal | None]
_SECONDS = 30.0


def loader(host_root: Path) -> Load:
    """`host_root` is the host's root as we have it: programs and modules there are those of its kernel."""
    elsewhere = () if host_root == Path("/") else ("chroot", str(host_root))

    def load(module: str) -> PrepareRefusal | None:
        command = (*elsewhere, "modprobe", module)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return _not_loaded(module, str(error))
        return _not_loaded(module, done.stderr.strip()) if done.returncode else None

    return load


def _not_loaded(module: str, reason: str) -> PrepareRefusal:
    return PrepareRefusal(
        Why.DRIVER, f"kernel module {module} is not loaded and cannot be: {reason}; load it on the host"
    )
