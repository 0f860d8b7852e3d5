"""One look, printed: what this node, or a simulated one, would tell and publish. Needs no bus."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from slicewire.common.model import NodeName
from slicewire.common.nvml.port import Nvml
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.discovery.command import Arguments, shown
from slicewire.discovery.looking import Looker
from slicewire.discovery.namesfile import NamesFile
from slicewire.discovery.policyfile import PolicyFile
from slicewire.discovery.settings import Settings


def looker(settings: Settings, nvml: Nvml, policy: str = "", *, remembers: bool = True) -> Looker:
    """`policy` is the path of a node policy in place of the settings'. Raises `BadSettings`."""
    sysfs_root = Path(settings.sysfs_root) if settings.sysfs_root else nvml.sysfs_root
    return Looker(
        nvml,
        NodeName(settings.node_name),
        settings.driver,
        sysfs_root,
        PolicyFile(_path(policy or settings.policy_file)),
        NamesFile(_path(settings.names_file), writable=remembers),
    )


async def look_once(arguments: Arguments, read_settings: Callable[[], Settings]) -> None:
    settings = read_settings()
    with tempfile.TemporaryDirectory(prefix="slicewire-") as folder:
        where = _where(settings.nvml, arguments, Path(folder))
        with closing(await asyncio.to_thread(open_nvml, where)) as nvml:
            once = looker(_kept_alone(settings, arguments), nvml, arguments.policy, remembers=False)
            sys.stdout.write(f"{shown(await asyncio.to_thread(once.look), arguments.form)}\n")


def _where(settings: NvmlSettings, arguments: Arguments, folder: Path) -> NvmlSettings:
    if arguments.profile:
        state = str(folder / "node.json")
        return msgspec.structs.replace(settings, room="simulated", state=state, profile=arguments.profile)
    if arguments.nvml_library:
        return msgspec.structs.replace(settings, room="real", library=arguments.nvml_library)
    return settings


def _kept_alone(settings: Settings, arguments: Arguments) -> Settings:
    """A simulated node is not this one: its names are not to be remembered, nor this one's sysfs read."""
    return msgspec.structs.replace(settings, names_file="", sysfs_root="") if arguments.profile else settings


def _path(text: str) -> Path | None:
    return Path(text) if text else None
