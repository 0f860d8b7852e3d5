"""Images made here: one layer with a static busybox, as an OCI archive. No registry is asked."""

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
    program = busybox.read_bytes()
    entries = {BUSYBOX: ["/bin/sh"], PAUSE: ["/bin/sleep", "2147483647"]}
    return tuple(_archive(name, program, entry, folder) for name, entry in entries.items())


def _archive(name: str, program: bytes, entry: list[str], folder: Path) -> Path:
    layer = _layer(program)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": entry, "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    media = "application/vnd.oci.image"
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{media}.manifest.v1+json",
            "config": _blob(f"{media}.config.v1+json", config),
            "layers": [_blob(f"{media}.layer.v1.tar", layer)],
        }
    )
    named = {
        **_blob(f"{media}.manifest.v1+json", manifest),
        "annotations": {"io.containerd.image.name": name},
    }
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": _json({"schemaVersion": 2, "manifests": [named]}),
        **{f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (config, manifest, layer)},
    }
    path = folder / f"{name.rpartition('/')[2].partition(':')[0]}.tar"
    path.write_bytes(_tar(files))
    return path


def _layer(busybox: bytes) -> bytes:
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    return _tar({"bin/busybox": busybox, "tmp/": b"", "etc/": b""}, links)


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A name that ends in `/` is a folder. Always the same bytes for the same files."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.size = 0o755, len(content)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return held.getvalue()


def _blob(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
