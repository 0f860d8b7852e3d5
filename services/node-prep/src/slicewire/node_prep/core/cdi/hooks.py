"""What NVIDIA's hook is asked to do inside a container before it starts. Where it is not installed, nothing
is asked: `installation` then mounts more.
"""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import dirname

from slicewire.node_prep.core.cdi.document import CdiHook
from slicewire.node_prep.core.driver import Driver

_PROGRAM = "nvidia-cdi-hook"
_ENV = ("NVIDIA_CTK_DEBUG=false",)


def symlinks(driver: Driver, links: Iterable[tuple[str, str]]) -> tuple[CdiHook, ...]:
    """Each link is its path and its target."""
    words = tuple(word for path, target in links for word in ("--link", f"{target}::{path}"))
    return _asked(driver, "create-symlinks", *words) if words else ()


def for_libraries(driver: Driver) -> tuple[CdiHook, ...]:
    """The loader is to find the libraries by every name, those of the image's CUDA where they are newer;
    and the driver's programs are not to make device nodes of GPUs that were not given."""
    folders = dict.fromkeys(dirname(path) for path in driver.libraries)
    return (
        *symlinks(driver, ((link.path, link.target) for link in driver.links)),
        *_asked(driver, "enable-cuda-compat", f"--host-driver-version={driver.version}"),
        *_asked(driver, "update-ldcache", *(word for one in folders for word in ("--folder", one))),
        *_asked(driver, "disable-device-node-modification"),
    )


def _asked(driver: Driver, *command: str) -> tuple[CdiHook, ...]:
    if not driver.cdi_hook:
        return ()
    hook = CdiHook(hook_name="createContainer", path=driver.cdi_hook, args=(_PROGRAM, *command), env=_ENV)
    return (hook,)
