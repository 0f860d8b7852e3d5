"""Modules are loaded with the host's own program."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.kernelmodules import loader


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those that are found instead of the system's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def plant(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)


def test_a_module_is_loaded_with_modprobe(programs: Path) -> None:
    plant(programs, "modprobe", 'echo "$@" > "$(dirname "$0")/asked"')
    assert loader(Path("/"))("vfio_pci") is None
    assert (programs / "asked").read_text() == "vfio_pci\n"


def test_in_a_container_it_is_the_hosts_modprobe(programs: Path) -> None:
    plant(programs, "chroot", 'echo "$@" > "$(dirname "$0")/asked"')
    assert loader(Path("/host"))("vfio_pci") is None
    assert (programs / "asked").read_text() == "/host modprobe vfio_pci\n"


def test_why_it_cannot_be_loaded_is_said(programs: Path) -> None:
    plant(programs, "modprobe", "echo 'Module vfio_pci not found.' >&2; exit 1")
    assert loader(Path("/"))("vfio_pci") == PrepareRefusal(
        Why.DRIVER,
        "kernel module vfio_pci is not loaded and cannot be: Module vfio_pci not found.; load it on the host",
    )


def test_so_is_a_host_without_the_program(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    refusal = loader(Path("/"))("vfio_pci")
    assert refusal is not None
    assert "No such file or directory: 'modprobe'" in refusal.reason
