"""containerd, runc, CNI plugins, nft and a static busybox from Debian, unpacked beside the system.

containerd 2 is newer than the machine's own Debian, so it comes from a newer suite of the mirror
that the machine uses already; nothing is installed, and the machine's package lists are not touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.places import Cache, CannotRun

_NFT = (
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libjansson4",
    "libedit2",
    "libxtables12",
    "libbsd0",
)
_PACKAGES = {
    "forky": ("containerd", "containernetworking-plugins"),
    "": ("runc", "busybox-static", *_NFT),
}
"""By suite; the empty one is the machine's own: a newer runc wants a newer libc."""
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
_MIRROR = re.compile(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(\S+/debian)/?(?:\s|$)", re.MULTILINE)


def unpack(cache: Cache, say: Callable[[str], None]) -> None:
    """What is not there yet. Raises `CannotRun`."""
    done, wanted = cache.debian / ".unpacked", repr(_PACKAGES)
    if done.exists() and done.read_text() == wanted:
        return
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise CannotRun(f"no {program}: containerd and runc come from Debian packages")
    say(f"unpacking containerd, runc and CNI plugins into {cache.debian}")
    lists = cache.root / "apt"
    for suite, packages in _PACKAGES.items():
        for package in _downloaded(suite, packages, lists):
            _run("dpkg-deb", "-x", str(package), str(cache.debian))
    shutil.rmtree(lists)
    done.write_text(wanted)


def rootfs(suite: str, packages: tuple[str, ...], into: Path) -> None:
    """These packages and what they depend on, unpacked; their scripts are not run. Raises `CannotRun`."""
    with tempfile.TemporaryDirectory() as lists:
        options = _options(suite, Path(lists))
        nothing = Path(lists) / "status"
        nothing.touch()
        options += ["-o", f"Dir::State::status={nothing}", "-o", "APT::Install-Recommends=false"]
        _run("apt-get", *options, "-q", "update")
        _run("apt-get", *options, "-q", "-y", "--download-only", "install", *packages)
        for package in sorted((Path(lists) / "cache/archives").glob("*.deb")):
            _run("dpkg-deb", "-x", str(package), str(into))


def _downloaded(suite: str, packages: tuple[str, ...], lists: Path) -> list[Path]:
    folder = lists / (suite or "own")
    options = _options(suite, folder)
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    _run("apt-get", *options, "-q", "update")
    _run("apt-get", *options, "-q", "download", *packages, at=folder / "packages")
    return sorted((folder / "packages").glob("*.deb"))


def _options(suite: str, folder: Path) -> list[str]:
    """Of apt-get, so that it works in this folder; the empty suite is the machine's own."""
    options = ["APT::Sandbox::User=root"]
    if suite:
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        source = folder / "sources.list"
        signed = "/usr/share/keyrings/debian-archive-keyring.gpg"
        source.write_text(f"deb [signed-by={signed}] {_mirror()} {suite} main\n")
        options += [
            f"Dir::Etc::sourcelist={source}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State::lists={folder / 'lists'}",
            f"Dir::Cache={folder / 'cache'}",
        ]
    return [argument for option in options for argument in ("-o", option)]


def _mirror() -> str:
    for source in _SOURCES:
        for file in sorted(source.iterdir()) if source.is_dir() else [source]:
            if file.is_file() and (found := _MIRROR.search(file.read_text(errors="replace"))):
                return found[1]
    raise CannotRun("no Debian mirror in /etc/apt: containerd comes from one")


def _run(*command: str, at: Path | None = None) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(command)}` failed: {done.stderr.strip()[-1000:]}")
