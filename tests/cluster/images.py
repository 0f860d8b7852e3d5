"""Images made here, in archives as container engines save them. No registry is asked."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

BUSYBOX = "slicewire.local/busybox:1"
WAIT = ("sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
"""What a container does that is to be there, and to end when it is told to."""
PAUSE = "slicewire.local/pause:1"
_APPLETS = (
    "sh",
    "cat",
    "echo",
    "env",
    "false",
    "find",
    "grep",
    "head",
    "ls",
    "sleep",
    "stat",
    "test",
    "true",
)


def archives(busybox: Path, folder: Path) -> tuple[Path, ...]:
    """The two images, each in a file to be imported."""
    layer = folder / "busybox-layer.tar"
    layer.write_bytes(_layer(busybox.read_bytes()))
    entries = {BUSYBOX: ["/bin/sh"], PAUSE: ["/bin/sleep", "2147483647"]}
    return tuple(
        archive((name,), {"Entrypoint": entry, "Env": ["PATH=/bin"]}, (layer,), folder)
        for name, entry in entries.items()
    )


def archive(names: tuple[str, ...], config: dict[str, Any], layers: tuple[Path, ...], folder: Path) -> Path:
    """Of layers, the lowest first; one image, by each of its names."""
    digests = [digest(layer) for layer in layers]
    described = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    content = json.dumps(described).encode()
    image = f"{hashlib.sha256(content).hexdigest()}.json"
    files = [f"{each.removeprefix('sha256:')}/layer.tar" for each in digests]
    manifest = json.dumps([{"Config": image, "RepoTags": list(names), "Layers": files}]).encode()
    path = folder / f"{names[0].rpartition('/')[2].replace(':', '-')}.tar"
    with tarfile.open(path, mode="w") as tar:
        for file, held in ((image, content), ("manifest.json", manifest)):
            _add(tar, file, held)
        for file, layer in zip(files, layers, strict=True):
            info = tarfile.TarInfo(file)
            info.size = layer.stat().st_size
            with layer.open("rb") as opened:
                tar.addfile(info, opened)
    return path


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def _layer(busybox: bytes) -> bytes:
    """A name that ends in `/` is a folder. Always the same bytes."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, content in {"bin/busybox": busybox, "tmp/": b"", "etc/": b""}.items():
            _add(tar, name, content)
        for applet in _APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    return held.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name.rstrip("/"))
    info.mode, info.size = 0o755, len(content)
    info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
    tar.addfile(info, io.BytesIO(content))
