"""The driver's files are looked for again when they have changed, and not before."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from slicewire.node_prep.installed import Installation
from tests.unit.node_prep.builders import VERSION

LIBRARIES = "usr/lib64"
LONG_AGO = time.time() - 3600


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver(tmp_path: Path, clock: Clock) -> Installation:
    (tmp_path / LIBRARIES).mkdir(parents=True)
    put(tmp_path, f"libcuda.so.{VERSION}")
    return Installation(tmp_path, clock)


def put(root: Path, name: str, at: float = LONG_AGO) -> None:
    (root / LIBRARIES / name).touch()
    os.utime(root / LIBRARIES, (at, at))


def libraries(driver: Installation) -> list[str]:
    return [Path(path).name for path in driver.of(VERSION).libraries]


def test_what_is_installed_later_is_found_at_once(tmp_path: Path, driver: Installation) -> None:
    assert libraries(driver) == [f"libcuda.so.{VERSION}"]
    put(tmp_path, f"libnvcuvid.so.{VERSION}", LONG_AGO + 1)
    assert libraries(driver) == [f"libcuda.so.{VERSION}", f"libnvcuvid.so.{VERSION}"]


def test_a_folder_that_comes_is_noticed(tmp_path: Path, driver: Installation) -> None:
    assert driver.of(VERSION).files == ()
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/nvidia-smi").touch()
    assert driver.of(VERSION).files == ("/usr/bin/nvidia-smi",)


def test_what_has_not_changed_is_not_looked_for_again(driver: Installation) -> None:
    assert driver.of(VERSION) is driver.of(VERSION)


def test_a_folder_that_changed_a_moment_ago_is_not_believed(tmp_path: Path, driver: Installation) -> None:
    """Another change may leave the same time."""
    put(tmp_path, f"libnvcuvid.so.{VERSION}", time.time())
    assert driver.of(VERSION) is not driver.of(VERSION)


def test_nothing_is_believed_for_long(driver: Installation, clock: Clock) -> None:
    """A link may lead elsewhere, and no folder of ours says so."""
    first = driver.of(VERSION)
    clock.now += 61
    assert driver.of(VERSION) is not first


def test_another_version_is_another_installation(driver: Installation) -> None:
    driver.of(VERSION)
    assert driver.of("1.2.3").libraries == ()
