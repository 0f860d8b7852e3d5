"""The same sources are the same image, wherever and whenever it is made."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.cluster.images import digest
from tests.cluster.partimages import ROOT, Kitchen
from tests.cluster.places import Cache, CannotRun

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
_COPIED = ("deploy", "libs/common", "services/discovery")


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    """One that keeps nothing of what others made but the base."""
    if os.geteuid() != 0:
        pytest.skip("no image: a root file system is entered by root")
    kept = Kitchen(Cache())
    try:
        base = kept.base()
    except CannotRun as reason:
        pytest.skip(f"no image: {reason}")
    own = Kitchen(Cache())
    own.folder = tmp_path / "images"
    own.folder.mkdir()
    for path in (base, base.with_suffix(".tar")):
        (own.folder / path.name).symlink_to(path)
    return own


def test_two_builds_from_two_folders_at_two_times_are_one_layer(kitchen: Kitchen, tmp_path: Path) -> None:
    made = []
    for name, age in (("first", 0), ("second-and-elsewhere", 1_000_000)):
        sources = tmp_path / name
        for each in _COPIED:
            shutil.copytree(ROOT / each, sources / each, ignore=shutil.ignore_patterns("__pycache__"))
        for path in sources.rglob("*"):
            os.utime(path, (age, age))
        layer = kitchen.layer("discovery", sources)
        made.append(digest(layer))
        layer.rename(tmp_path / f"{name}.tar")
    assert made[0] == made[1]


def test_a_layer_is_root_s_has_no_time_and_nothing_outside_its_folder(kitchen: Kitchen) -> None:
    with tarfile.open(kitchen.layer("nats")) as tar:
        members = tar.getmembers()
    assert {(each.uid, each.gid, each.mtime) for each in members} == {(0, 0, 0)}
    assert {"/".join(each.name.split("/")[:2]) for each in members} == {"opt", "opt/slicewire"}
    assert not [each.name for each in members if each.mode & 0o6022 and not each.issym()]
