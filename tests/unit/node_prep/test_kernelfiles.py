"""Values of the kernel's, read while devices come and go."""

from __future__ import annotations

from pathlib import Path

from slicewire.node_prep.kernelfiles import target, text


def test_a_value_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "vendor"
    file.write_bytes(b"0x10de \xff\n")
    assert text(file) == "0x10de \ufffd"


def test_a_link_says_the_last_name_of_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "driver"
    link.symlink_to("../../bus/pci/drivers/vfio-pci")
    assert target(link) == "vfio-pci"


def test_what_is_gone_or_of_another_kind_is_empty(tmp_path: Path) -> None:
    assert text(tmp_path / "gone") == target(tmp_path / "gone") == ""
    assert text(tmp_path) == target(tmp_path) == ""
