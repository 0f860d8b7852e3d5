"""What somebody has put where our files go: nothing is written through it, and nobody waits for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from slicewire.common.model import ClaimName, ClaimUID, Namespace
from slicewire.common.settings import BadSettings
from slicewire.discovery import smallfile
from slicewire.node_prep import files, processes
from slicewire.node_prep.core import cdi, metadata
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.core.steps import MakeMpsDirectories
from slicewire.node_prep.executors.mps import MakesMpsDirectories, MpsHere
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.kubelet.places import make_way, sockets
from slicewire.node_prep.turns import Turns
from tests.component.node_prep.harness import Station, asked, held
from tests.hostile.words import NAMES
from tests.unit.node_prep.builders import DRIVER

Plant = Callable[[Path, Path], None]
SECRET = b"root:x:0:0\n"


def a_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def a_link_to_nothing(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("not-there"))


def a_pipe(path: Path, _victim: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path, _victim: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("kept")


PLANTED = pytest.mark.parametrize("plant", [a_link, a_link_to_nothing, a_pipe, a_folder])


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "passwd"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


def is_untouched(victim: Path) -> bool:
    kept = victim.read_bytes() == SECRET and stat.S_IMODE(victim.stat().st_mode) == 0o600
    return kept and [path.name for path in victim.parent.iterdir()] == ["passwd"]


@PLANTED
def test_a_file_of_ours_is_never_written_or_read_through_what_was_planted(
    tmp_path: Path, victim: Path, plant: Plant
) -> None:
    path = tmp_path / "file.json"
    plant(path, victim)
    with pytest.raises(DiskFault, match=str(path)):
        files.write_if_changed(path, b"new", 0o644)
    with pytest.raises(DiskFault, match=str(path)):
        files.read(path)
    assert is_untouched(victim)


@PLANTED
def test_a_lock_is_never_taken_in_what_was_planted(tmp_path: Path, victim: Path, plant: Plant) -> None:
    plant(tmp_path / "turn.lock", victim)
    with pytest.raises(DiskFault, match=r"turn\.lock"):
        Turns(tmp_path).open()
    assert is_untouched(victim)


@PLANTED
def test_the_output_of_a_daemon_goes_into_nothing_that_was_planted(
    tmp_path: Path, victim: Path, plant: Plant
) -> None:
    output = tmp_path / "output.log"
    plant(output, victim)
    if plant is a_link_to_nothing:
        assert not victim.with_name("not-there").exists()
    with pytest.raises(OSError, match=r"."):
        processes.start(["/bin/echo", "hello"], {}, output)
    assert is_untouched(victim)


@pytest.mark.parametrize("place", [".", "pipe", "shm", "log"])
def test_no_directory_of_a_daemon_may_be_a_link(tmp_path: Path, victim: Path, place: str) -> None:
    root = tmp_path / "mps"
    root.mkdir()
    target = root / "0123456789abcdef" / place
    target.parent.mkdir(exist_ok=True) if place != "." else None
    target.symlink_to(victim.parent)
    step = MakeMpsDirectories(daemon="0123456789abcdef")
    with pytest.raises(DiskFault, match="it is a link"):
        MakesMpsDirectories(MpsHere(root=root)).do(step, None)  # type: ignore[arg-type]  # the plan is not read
    assert is_untouched(victim)
    assert stat.S_IMODE(victim.parent.stat().st_mode) != 0o1777


def test_what_is_emptied_or_deleted_is_never_what_a_link_points_at(tmp_path: Path, victim: Path) -> None:
    folder = tmp_path / "pipe"
    (folder / "deep").mkdir(parents=True)
    (folder / "control").symlink_to(victim)
    (folder / "deep" / "up").symlink_to(victim.parent)
    files.clear(folder)
    assert list(folder.iterdir()) == []
    (folder / "again").symlink_to(victim.parent)
    files.delete_all(folder)
    (tmp_path / "link").symlink_to(victim.parent)
    with pytest.raises(DiskFault, match="link"):
        files.delete_all(tmp_path / "link")
    assert is_untouched(victim)


def test_the_names_of_a_node_are_not_written_through_a_link(tmp_path: Path, victim: Path) -> None:
    (tmp_path / ".names.json.new").symlink_to(victim)
    (tmp_path / "names.json").symlink_to(victim)
    smallfile.write(tmp_path / "names.json", b"{}")
    assert (tmp_path / "names.json").read_bytes() == b"{}"
    assert is_untouched(victim)


@PLANTED
async def test_what_stands_in_the_place_of_a_claims_cdi_file_fails_that_claim_alone(
    station: Station, victim: Path, plant: Plant
) -> None:
    await station.author.tell_ledger(held(), held("claim-2", "gpu-1"))
    async with station.kubelet() as plugin:
        station.disk.cdi_root.mkdir(exist_ok=True)
        plant(station.disk.cdi_file("claim-1"), victim)
        answers = await plugin.prepare([asked(), asked("claim-2")])
    assert str(station.disk.cdi_file("claim-1")) in answers["claim-1"].error
    assert not answers["claim-2"].error
    assert is_untouched(victim)


@PLANTED
async def test_what_stands_in_the_place_of_the_checkpoint_is_not_written_through(
    station: Station, victim: Path, plant: Plant
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        station.disk.checkpoint.unlink(missing_ok=True)
        plant(station.disk.checkpoint, victim)
        answer = (await plugin.prepare([asked()]))["claim-1"]
    assert "checkpoint.json" in answer.error or plant is a_pipe
    assert is_untouched(victim)


async def test_the_description_of_devices_is_not_written_through_a_folder_that_is_a_link(
    station: Station, victim: Path
) -> None:
    claim = Claim(uid=ClaimUID("claim-1"), namespace=Namespace("default"), name=ClaimName("named-claim-1"))
    place = station.disk.plugin_dir / metadata.folder_of(claim)
    place.parent.mkdir(parents=True)
    place.symlink_to(victim.parent)
    await station.author.tell_ledger(held())
    async with station.kubelet(describes=True) as plugin:
        assert not (await plugin.prepare([asked()]))["claim-1"].error  # a courtesy: the claim goes without
    assert is_untouched(victim)


@pytest.mark.parametrize("name", ["dra.sock", f"{DRIVER}-reg.sock"])
@PLANTED
def test_no_socket_is_opened_where_something_stands(
    folder: Path, victim: Path, plant: Plant, name: str
) -> None:
    places = sockets(DRIVER, folder / "plugin", folder / "registry")
    path = next(one for one in (places.dra, places.registration) if one.name == name)
    path.parent.mkdir()
    plant(path, victim)
    with pytest.raises(BadSettings, match=name):
        make_way(DRIVER, places)
    assert path.is_symlink() or path.exists()
    assert is_untouched(victim)


async def test_who_may_read_and_write_what_of_ours(station: Station) -> None:
    """docs/security.md has this as a table."""
    before = os.umask(0)
    try:
        await station.author.tell_ledger(held())
        async with station.kubelet(describes=True) as plugin:
            await plugin.prepared(asked())
            disk = station.disk
            modes = {
                "checkpoint": disk.checkpoint,
                "turn.lock": disk.plugin_dir / "turn.lock",
                "gate.lock": disk.plugin_dir / "gate.lock",
                "cdi": disk.cdi_file("claim-1"),
                "cdi root": disk.cdi_root,
                "plugin dir": disk.plugin_dir,
                "registry dir": disk.registry_dir,
                "dra socket": disk.plugin_dir / "dra.sock",
                "registration socket": disk.registry_dir / f"{DRIVER}-reg.sock",
            }
            found = {what: oct(stat.S_IMODE(path.lstat().st_mode)) for what, path in modes.items()}
            loose = [
                str(path)
                for folder in (disk.plugin_dir, disk.cdi_root, disk.registry_dir)
                for path in folder.rglob("*")
                if not path.is_symlink() and path.stat().st_mode & 0o022
            ]
    finally:
        os.umask(before)
    assert found == {
        "checkpoint": "0o600",
        "turn.lock": "0o600",
        "gate.lock": "0o600",
        "cdi": "0o644",
        "cdi root": "0o755",
        "plugin dir": "0o750",
        "registry dir": "0o750",
        "dra socket": "0o600",
        "registration socket": "0o600",
    }
    assert loose == []


def test_no_name_leads_a_file_out_of_its_folder() -> None:
    for name in NAMES:
        file = cdi.file_name(ClaimUID(name))
        assert Path(file).name == file
        assert len(os.fsencode(file)) <= 255
