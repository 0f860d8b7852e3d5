"""Device metadata on disk, and in a container by way of its CDI specs."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest

from slicewire.common.model import ClaimUID
from slicewire.node_prep import files
from slicewire.node_prep.core import metadata
from slicewire.node_prep.core.described import Described
from slicewire.node_prep.metadatafiles import MetadataFiles
from tests.kubelet import runtime
from tests.unit.node_prep.builders import DRIVER
from tests.unit.node_prep.test_metadata import CLAIM, IN_CONTAINER, KINDS, UID, a_given, described

FILE = "dra-device-metadata/default_claim1/gpu/metadata.json"


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    return tmp_path / "plugin"


@pytest.fixture
def cdi_root(tmp_path: Path) -> Path:
    return tmp_path / "cdi"


@pytest.fixture
def written(plugin_dir: Path, cdi_root: Path) -> MetadataFiles:
    return MetadataFiles(DRIVER, plugin_dir, cdi_root)


def generation(path: Path) -> int:
    found = json.loads(path.read_bytes())["metadata"]["generation"]
    assert isinstance(found, int)
    return found


def of_another_claim() -> Described:
    """Of the same name: the first was deleted and made anew."""
    return described(a_given(KINDS[0]), claim=msgspec.structs.replace(CLAIM, uid=ClaimUID("another")))


def test_a_container_finds_the_file_of_its_request(
    written: MetadataFiles, plugin_dir: Path, cdi_root: Path
) -> None:
    of = described(*map(a_given, KINDS))
    written.write(of)
    container = runtime.container(metadata.cdi_ids(of)[KINDS[0].name], cdi_root)
    mount = container.mounts[f"{IN_CONTAINER}/resourceclaims/claim1/gpu/gpu.nvidia.com-metadata.json"]
    assert mount["hostPath"] == str(plugin_dir / FILE)
    [request] = json.loads(Path(mount["hostPath"]).read_bytes())["requests"]
    assert [device["name"] for device in request["devices"]] == [device.name for device in KINDS]


def test_whoever_runs_the_container_may_read_it(written: MetadataFiles, plugin_dir: Path) -> None:
    written.write(described(a_given("gpu-0")))
    assert stat.S_IMODE((plugin_dir / FILE).stat().st_mode) == 0o644
    for folder in (plugin_dir / FILE).parents[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_same_is_written_once_and_something_else_is_the_next_generation(
    written: MetadataFiles, plugin_dir: Path
) -> None:
    path = plugin_dir / FILE
    for _ in range(2):
        written.write(described(a_given("gpu-0")))
        assert generation(path) == 1
    written.write(described(a_given("gpu-1")))
    assert generation(path) == 2
    written.write(of_another_claim())
    assert generation(path) == 1


def test_specs_that_a_reboot_took_are_made_again_and_the_file_stays(
    written: MetadataFiles, plugin_dir: Path, cdi_root: Path
) -> None:
    of = described(a_given("gpu-0"))
    written.write(of)
    before = (plugin_dir / FILE).stat().st_ino
    files.delete_all(cdi_root)
    written.write(of)
    assert files.names(cdi_root) == (f"gpu.nvidia.com_metadata_{UID}_gpu.json",)
    assert (plugin_dir / FILE).stat().st_ino == before


def test_nothing_is_left_of_a_claim_that_is_removed_however_often(
    written: MetadataFiles, plugin_dir: Path, cdi_root: Path
) -> None:
    written.write(described(a_given("gpu-0", "one"), a_given("gpu-1", "two")))
    (cdi_root / "other.json").touch()
    for _ in range(2):
        written.remove(CLAIM)
    assert files.names(cdi_root) == ("other.json",)
    assert files.names(plugin_dir / metadata.FOLDER) == ()


def test_removing_a_claim_leaves_what_a_later_one_of_its_name_has(
    written: MetadataFiles, plugin_dir: Path, cdi_root: Path
) -> None:
    written.write(described(a_given("gpu-0")))
    written.write(of_another_claim())
    written.remove(CLAIM)
    assert json.loads((plugin_dir / FILE).read_bytes())["metadata"]["uid"] == "another"
    assert files.names(cdi_root) == ("gpu.nvidia.com_metadata_another_gpu.json",)


def test_a_file_that_is_broken_is_replaced_and_removed(written: MetadataFiles, plugin_dir: Path) -> None:
    path = plugin_dir / FILE
    files.write(path, b"half", 0o600)
    written.write(described(a_given("gpu-0")))
    assert generation(path) == 1
    path.write_bytes(b"half")
    written.remove(CLAIM)
    assert not path.exists()
