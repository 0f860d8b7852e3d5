"""The images of deploy/Dockerfile, made by its steps, without a container engine.

The base is unpacked from Debian's packages: the Debian that `python:3.12-slim` is made of, with Debian's own
Python in the place of one compiled into `/usr/local`. A stage is a copy of it, entered by chroot. The base is
one layer, `/opt/slicewire` another. What was made is kept, by what it was made of.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import debian
from tests.cluster.images import archive
from tests.cluster.places import Cache, CannotRun

ROOT = Path(__file__).parents[2]
PARTS = ("nats", "discovery", "allocator", "node-prep", "publisher")
SUITE = "trixie"
_BASE = (
    "base-files",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "sed",
    "libc-bin",
    "python3",
    "python3-venv",
    "libstdc++6",
)
_DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
_INSTALL = "deploy/install-part.sh"
_TARGET = "opt/slicewire"
_UNSHIPPED = ("usr/share/doc", "usr/share/man", "usr/share/locale")
_KEPT = 3
"""Layers of a part: sources change, and disks are finite."""
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Kitchen:
    """Where images are made and kept."""

    def __init__(self, cache: Cache) -> None:
        self.folder = cache.root.parent / "images"

    def image(self, part: str, tags: tuple[str, ...], into: Path) -> Path:
        """An archive to import. Raises `CannotRun`."""
        layers = (self.base().with_suffix(".tar"), self.layer(part))
        return archive(tuple(f"slicewire/{part}:{tag}" for tag in tags), _config(), layers, into)

    def base(self) -> Path:
        """The root file system; its layer is beside it."""
        path = self.folder / f"base-{_key(SUITE, *_BASE)}"
        if not path.with_suffix(".tar").exists():
            fresh = _fresh(path)
            debian.rootfs(SUITE, _BASE, fresh)
            for each in _UNSHIPPED:
                shutil.rmtree(fresh / each, ignore_errors=True)
            shutil.rmtree(path, ignore_errors=True)
            fresh.rename(path)
            _pack(path, "", path.with_suffix(".tar"))
        return path

    def layer(self, part: str, sources: Path = ROOT) -> Path:
        """What the part adds to the base."""
        path = self.folder / f"{part}-{_key(self.base().name, *_contents(part, sources))}.tar"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=f"{part}-") as made:
                self.cook(part, sources, Path(made))
                _pack(Path(made), _TARGET, path)
            kept = sorted(self.folder.glob(f"{part}-*.tar"), key=lambda each: each.stat().st_mtime)
            for old in kept[:-_KEPT]:
                old.unlink(missing_ok=True)
        return path

    def cook(self, part: str, sources: Path, stage: Path) -> None:
        """The first stage of the recipe: a base with the part installed. Raises `CannotRun`."""
        self.stage(part, sources, stage)
        command = entered(stage, f"/source/{_INSTALL} {part} /{_TARGET}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotRun(f"the image of {part} cannot be made: {done.stderr.strip()[-2000:]}")

    def stage(self, part: str, sources: Path, stage: Path) -> None:
        """A base with what the part is made of in `/source`, and a way to the package index."""
        shutil.copytree(self.base(), stage, symlinks=True, dirs_exist_ok=True)
        for file in _files(part, sources):
            into = stage / "source" / file.relative_to(sources)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, into)
        trusted = stage / "etc/ssl/certs/ca-certificates.crt"  # where Debian's pip looks
        trusted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt"), trusted)
        shutil.copy("/etc/resolv.conf", stage / "etc/resolv.conf")


def entered(stage: Path, script: str) -> list[str]:
    """The command that runs a script inside a stage. Of the environment here it gets `PIP_INDEX…` alone."""
    index = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_INDEX")]
    environ = (f"PATH={_PATH}", "HOME=/root", "SOURCE_DATE_EPOCH=0", *index)
    mounted = (
        'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i "$@"'
    )
    command = ("unshare", "--mount", "/bin/sh", "-c", mounted, str(stage))
    return [*command, *environ, "/bin/sh", "-c", script]


def _config() -> dict[str, object]:
    """As the Dockerfile has it."""
    (environ,) = re.findall(r"(?m)^ENV (.+)$", _DOCKERFILE)
    (user,) = re.findall(r"(?m)^USER (\S+)$", _DOCKERFILE)
    return {"Env": environ.split(), "User": user}


def _files(part: str, sources: Path) -> Iterator[Path]:
    """What the Dockerfile copies, as far as the part uses it."""
    yield sources / _INSTALL
    yield from (sources / "deploy/locks" / f"{lock}.lock" for lock in ("build", part))
    for distribution in ("libs/common", f"services/{part}"):
        for file in sorted((sources / distribution).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _contents(part: str, sources: Path) -> Iterator[str]:
    for file in _files(part, sources):
        yield f"{file.relative_to(sources)} {hashlib.sha256(file.read_bytes()).hexdigest()}"


def _key(*of: str) -> str:
    return hashlib.sha256("\n".join(of).encode()).hexdigest()[:16]


def _fresh(path: Path) -> Path:
    fresh = path.with_suffix(".unfinished")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def _pack(folder: Path, below: str, into: Path) -> None:
    """A layer: names in order, everything root's and of no time."""
    unfinished = into.with_suffix(".unfinished-tar")
    with tarfile.open(unfinished, mode="w") as tar:
        for parent in reversed(Path(below).parents if below else ()):
            if str(parent) != ".":
                tar.add(folder / parent, str(parent), recursive=False, filter=_anonymous)
        tar.add(folder / below, below or ".", filter=_anonymous)
    unfinished.rename(into)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    return info.replace(uid=0, gid=0, uname="", gname="", mtime=0, deep=False)
