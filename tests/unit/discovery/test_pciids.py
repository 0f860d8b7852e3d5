"""Product names from the machine's PCI id database."""

from __future__ import annotations

from pathlib import Path

from slicewire.discovery.pciids import product_names

DATABASE = """\
# a comment
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t2330  Something Else
10de  NVIDIA Corporation
\t20B0  GA100 [A100 SXM4 40GB]
\t2330  GH100 [H100 SXM5 80GB]
\t\t10de 16c1  a board of it
8086  Intel Corporation
\t26b9  Yet Another
"""


def test_nvidias_products_are_found_by_their_device_ids(tmp_path: Path) -> None:
    file = tmp_path / "usr/share/misc/pci.ids"
    file.parent.mkdir(parents=True)
    file.write_text(DATABASE)
    assert product_names((tmp_path / "nowhere", tmp_path)) == {
        "0x20b0": "GA100 [A100 SXM4 40GB]",
        "0x2330": "GH100 [H100 SXM5 80GB]",
    }


def test_a_machine_without_a_database_has_no_names(tmp_path: Path) -> None:
    assert product_names((tmp_path,)) == {}
