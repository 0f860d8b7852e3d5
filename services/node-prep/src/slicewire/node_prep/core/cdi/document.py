"""A CDI spec as a value, and its one form in bytes. What is in it is decided elsewhere.

The names are those of the CDI specification; what we never write has no field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from slicewire.common.model import wire
from slicewire.common.model.struct import Object


class CdiDeviceNode(Object, frozen=True):
    """Without numbers, the runtime takes those of the host's file."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = ""


class CdiMount(Object, frozen=True):
    host_path: str
    container_path: str
    options: tuple[str, ...] = ()
    type: str = ""


class CdiHook(Object, frozen=True):
    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


class ContainerEdits(Object, frozen=True):
    env: tuple[str, ...] = ()
    device_nodes: tuple[CdiDeviceNode, ...] = ()
    mounts: tuple[CdiMount, ...] = ()
    hooks: tuple[CdiHook, ...] = ()

    def __add__(self, more: ContainerEdits) -> ContainerEdits:
        """Where both have something at one place in the container, the runtime takes what comes later."""
        return ContainerEdits(
            env=self.env + more.env,
            device_nodes=self.device_nodes + more.device_nodes,
            mounts=self.mounts + more.mounts,
            hooks=self.hooks + more.hooks,
        )


_NOTHING = ContainerEdits()


class CdiDevice(Object, frozen=True):
    name: str
    container_edits: ContainerEdits


class CdiSpec(Object, frozen=True):
    cdi_version: str
    kind: str
    devices: tuple[CdiDevice, ...]
    container_edits: ContainerEdits = _NOTHING

    @property
    def every_edit(self) -> tuple[ContainerEdits, ...]:
        return (self.container_edits, *(device.container_edits for device in self.devices))


_OLDEST = "0.3.0"
"""The oldest that runtimes still read."""
_NEEDS: tuple[tuple[str, Callable[[CdiSpec], bool]], ...] = (
    ("0.6.0", lambda spec: "." in spec.kind.partition("/")[2]),
    ("0.5.0", lambda spec: any(node.host_path for edits in spec.every_edit for node in edits.device_nodes)),
    ("0.5.0", lambda spec: any(device.name[:1].isdigit() for device in spec.devices)),
    ("0.4.0", lambda spec: any(mount.type for edits in spec.every_edit for mount in edits.mounts)),
)
"""The version that brought each thing, the latest first: from the version history in SPEC.md of
cncf-tags/container-device-interface. A loader refuses a spec whose version is lower than its content."""


def spec_of(kind: str, devices: Iterable[CdiDevice], for_all: ContainerEdits = _NOTHING) -> CdiSpec:
    """In the lowest version that has all that is in it, for the oldest runtimes to read."""
    spec = CdiSpec(cdi_version=_OLDEST, kind=kind, devices=tuple(devices), container_edits=for_all)
    version = next((version for version, is_in in _NEEDS if is_in(spec)), _OLDEST)
    return msgspec.structs.replace(spec, cdi_version=version)


def encode(spec: CdiSpec) -> bytes:
    """Equal specs give equal bytes."""
    return wire.encode(spec)
