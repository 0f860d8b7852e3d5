"""The node policy, read from its file at every look, so that a change of it is heeded without a restart.

A policy that cannot be used at the start is the operator's to mend; one that is spoilt later leaves the
last good one in force, and says so.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec
import yaml

from slicewire.common.nvml.facts import Unseen
from slicewire.common.settings import BadSettings
from slicewire.discovery import smallfile
from slicewire.discovery.core.policy import NodePolicy
from slicewire.discovery.core.policychecks import BadPolicy, checked


class PolicyRead(msgspec.Struct, frozen=True):
    """The policy in force, and why it is not the one in the file."""

    policy: NodePolicy
    unseen: tuple[Unseen, ...] = ()


class PolicyFile:
    """Raises `BadSettings` where there is a path and no usable policy. Without a path the default holds."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._good = NodePolicy()
        if path is not None:
            try:
                self._good = _read(path)
            except BadPolicy as error:
                raise BadSettings(f"node policy {path}: {error}") from error

    def read(self) -> PolicyRead:
        if self._path is None:
            return PolicyRead(self._good)
        try:
            self._good = _read(self._path)
        except BadPolicy as error:
            reason = f"{error}; the last good policy is in force"
            return PolicyRead(self._good, (Unseen(f"node policy {self._path}", reason),))
        return PolicyRead(self._good)


def _read(path: Path) -> NodePolicy:
    """Raises `BadPolicy`."""
    try:
        return _understood(smallfile.read(path).decode())
    except OSError as error:
        raise BadPolicy(error.strerror or str(error)) from error
    except UnicodeError as error:
        raise BadPolicy(f"it is not UTF-8: {error}") from error
    except yaml.YAMLError as error:
        raise BadPolicy(f"it is not YAML: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=1)
def _understood(text: str) -> NodePolicy:
    """Once, not at every look: a policy seldom changes. Raises `BadPolicy`, `YAMLError`."""
    return checked(yaml.safe_load(text))
