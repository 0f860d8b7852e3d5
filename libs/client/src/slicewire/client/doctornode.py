"""Is this node well? Its folders, sockets, CDI files and driver, looked at and left alone.

Knows where the node's agents keep their files by the same settings as they do. Refuses to change anything.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from slicewire.client.doctorfindings import Finding, counted, error, fine, named, warn

_SETTING = "SLICEWIRE_NODE_PREP_"
_OURS = "k8s.gpu.nvidia.com-claim_"
_MOST_BYTES = 16 * 1024 * 1024
_ANSWER_SECONDS = 1.0
_OTHERS_WRITE = 0o022
_ALONE = 0o600


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are on a node."""

    plugin_dir: Path = Path("/var/lib/kubelet/plugins/gpu.nvidia.com")
    registry_dir: Path = Path("/var/lib/kubelet/plugins_registry")
    cdi_root: Path = Path("/var/run/cdi")
    cdi_others: tuple[Path, ...] = (Path("/etc/cdi"),)
    """Where container runtimes look too."""
    kubelet_config: Path = Path("/var/lib/kubelet/config.yaml")
    cgroups: Path = Path("/sys/fs/cgroup")
    driver: str = "gpu.nvidia.com"


def places(environ: Mapping[str, str]) -> Places:
    """As node-prep's own settings say."""
    given: dict[str, Any] = {
        name: Path(environ[f"{_SETTING}{name.upper()}"])
        for name in ("plugin_dir", "registry_dir", "cdi_root")
        if environ.get(f"{_SETTING}{name.upper()}")
    }
    if driver := environ.get(f"{_SETTING}DRIVER"):
        given["driver"] = driver
    return Places(**given)


def is_node(where: Places) -> bool:
    return where.plugin_dir.is_dir()


def node_findings(where: Places, held: Collection[str] | None) -> Iterator[Finding]:
    """`held` are the UIDs of the claims that hold something on this node; None where that is not known."""
    yield from _sockets(where)
    yield from _checkpoint(where)
    yield from _specs(where, held)
    yield from _kubelet(where)


def _sockets(where: Places) -> Iterator[Finding]:
    if not where.registry_dir.is_dir():
        yield warn(
            "kubelet",
            f"there is no {where.registry_dir}",
            "No kubelet has run here, or it has another root directory.",
            f"Start the kubelet, or set {_SETTING}REGISTRY_DIR.",
        )
        return
    for folder, pattern, what in (
        (where.plugin_dir, "dra*.sock", "the kubelet cannot ask for devices"),
        (where.registry_dir, f"{where.driver}*-reg.sock", "the kubelet does not find the driver"),
    ):
        found = [path for path in _listed(folder) if path.match(pattern)]
        answering = [path for path in found if _answers(path)]
        if not answering:
            yield error(
                "kubelet",
                f"nobody answers at {folder}/{pattern}" if found else f"there is no {pattern} in {folder}",
                f"So {what}: pods with claims do not start.",
                "Start slicewire-node-prep on this node; read its log.",
            )
        else:
            yield fine("kubelet", f"{answering[0]} is served")


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            asking.connect(str(path))
    except OSError:
        return False
    return True


def _listed(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(folder.iterdir()))
    except OSError:
        return ()


def _checkpoint(where: Places) -> Iterator[Finding]:
    path = where.plugin_dir / "checkpoint.json"
    if not path.exists():
        yield fine("checkpoint", "none yet: nothing was prepared here")
        return
    claims = _claims(path)
    if isinstance(claims, str):
        yield error(
            "checkpoint",
            f"{path}: {claims}",
            "node-prep sets a checkpoint aside that it cannot read, and makes a new one from the ledger.",
            "Start slicewire-node-prep again, and keep the .corrupt file for a report.",
        )
        return
    yield fine("checkpoint", counted(len(claims), "claim"))
    if stat.S_IMODE(path.stat().st_mode) & ~_ALONE:
        yield warn(
            "checkpoint",
            f"{path} may be read by others than its owner",
            "It says what every claim on the node holds.",
            f"chmod 600 {path}",
        )


def _claims(path: Path) -> dict[str, Any] | str:
    """Of a checkpoint, whose lines tell what has changed since the first; or why they cannot be told."""
    data = _content(path)
    if isinstance(data, str):
        return data
    claims: dict[str, Any] = {}
    for number, line in enumerate(data.splitlines() or [b""]):
        document = _object(line)
        if isinstance(document, str) and number == 0:
            return document
        if isinstance(document, str):  # half written: nothing after it counts
            break
        claims |= document.get("claims", {})
    return {uid: entry for uid, entry in claims.items() if entry is not None}


def _read(path: Path) -> dict[str, Any] | str:
    """A JSON object, or why it is none."""
    data = _content(path)
    return data if isinstance(data, str) else _object(data)


def _content(path: Path) -> bytes | str:
    """What is no plain file is not opened: a pipe would be waited for."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return "it is not a file"
        if status.st_size > _MOST_BYTES:
            return f"it has {status.st_size:,} bytes"
        return path.read_bytes()
    except OSError as fault:
        return f"cannot be read: {fault}"


def _object(data: bytes) -> dict[str, Any] | str:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as fault:
        return f"cannot be read: {fault}"
    return found if isinstance(found, dict) else "it is no JSON object"


def _specs(where: Places, held: Collection[str] | None) -> Iterator[Finding]:
    yield from _folder(where.cdi_root)
    ours = [
        path for path in _listed(where.cdi_root) if path.name.startswith(_OURS) and path.suffix == ".json"
    ]
    broken = [path.name for path in ours if isinstance(_read(path), str)]
    if broken:
        yield error(
            "cdi",
            f"{counted(len(broken), 'file')} of ours cannot be read: {named(broken)}",
            "A container runtime passes over them, and the pods of those claims do not start.",
            "Start slicewire-node-prep again: it writes them anew. What is no file in their place must go.",
        )
    if held is not None:
        known = {f"{_OURS}{uid}.json" for uid in held}
        left = [path.name for path in ours if path.name not in known and not _is_spelt(path.name)]
        if left:
            yield warn(
                "cdi",
                f"{counted(len(left), 'file')} of claims that hold nothing here: {named(left)}",
                "The claim was given back while nobody unprepared it, or is being unprepared now.",
                "node-prep removes what is left when it starts and hears the ledger; restart it if it stays.",
            )
    yield from _clashes((where.cdi_root, *where.cdi_others))
    yield fine("cdi", f"{counted(len(ours), 'file')} of ours in {where.cdi_root}")


def _is_spelt(name: str) -> bool:
    """Of a claim whose UID cannot be a file's name: which one it is, only node-prep knows."""
    return name.removeprefix(_OURS).startswith(("hex_", "sha256_"))


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield warn(
            "cdi",
            f"there is no {folder}",
            "It is made with the first claim that is prepared. Container runtimes must look there.",
            "Look for cdi_spec_dirs in the configuration of containerd or CRI-O.",
        )
    elif folder.stat().st_mode & _OTHERS_WRITE:
        yield error(
            "cdi",
            f"{folder} may be written by others than its owner",
            "Whoever writes there can give any container any device and any mount.",
            f"chmod 755 {folder}",
        )


def _clashes(folders: Collection[Path]) -> Iterator[Finding]:
    holders: dict[str, list[str]] = defaultdict(list)
    for path in (path for folder in folders for path in _listed(folder) if path.suffix == ".json"):
        document = _read(path)
        if isinstance(document, dict):
            for name in _devices(document):
                holders[name].append(str(path))
    clashes = [
        f"{name} in {' and '.join(paths)}" for name, paths in sorted(holders.items()) if len(paths) > 1
    ]
    if clashes:
        yield error(
            "cdi",
            f"{counted(len(clashes), 'device')} described twice: {named(clashes)}",
            "A container runtime refuses a name that two files of one folder describe.",
            "Remove the file that nobody keeps up to date.",
        )


def _devices(document: dict[str, Any]) -> Iterator[str]:
    devices = document.get("devices")
    for device in devices if isinstance(devices, list) else ():
        if isinstance(device, dict):
            yield f"{document.get('kind')}={device.get('name')}"


def _kubelet(where: Places) -> Iterator[Finding]:
    if where.cgroups.is_dir() and not (where.cgroups / "cgroup.controllers").exists():
        yield warn(
            "kubelet",
            "this machine has cgroups of version 1",
            "Kubernetes 1.35 and newer do not start on it unless told to.",
            "Boot with systemd.unified_cgroup_hierarchy=1.",
        )
    try:
        lines = where.kubelet_config.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    if any(line.replace(" ", "") == "DynamicResourceAllocation:false" for line in lines):
        yield error(
            "kubelet",
            f"{where.kubelet_config} switches DynamicResourceAllocation off",
            "The kubelet does not ask for claims' devices.",
            "Remove that line of featureGates, and restart the kubelet.",
        )
    else:
        yield fine("kubelet", f"{where.kubelet_config} does not switch DynamicResourceAllocation off")


def own_name(environ: Mapping[str, str]) -> str:
    return environ.get("SLICEWIRE_NODE_NAME") or socket.gethostname()


def is_root() -> bool:
    return os.geteuid() == 0
