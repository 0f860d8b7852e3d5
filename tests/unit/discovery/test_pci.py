"""What sysfs says of a GPU's place, and what it means."""

from __future__ import annotations

import pytest

from slicewire.discovery.core.pci import PciGpu, bus_id, numa_node, pcie_root


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("00000000:1A:00.0", "0000:1a:00.0"),
        ("0000:1a:00.0", "0000:1a:00.0"),
        ("00000009:01:00.0", "0009:01:00.0"),
        ("00010000:01:00.0", None),
        ("1a:00.0", None),
        ("0000:1a:00.0\n", None),
        ("", None),
    ],
)
def test_a_bus_id_is_read_in_nvmls_and_in_sysfs_form(text: str, meaning: str | None) -> None:
    assert bus_id(text) == meaning


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("../../../devices/pci0000:64/0000:64:01.0/0000:65:00.0", "pci0000:64"),
        ("../../../devices/platform/soc/1000.pcie/pci0009:00/0009:01:00.0", "pci0009:00"),
        ("../../../devices/virtual/0000:65:00.0", None),
        ("", None),
    ],
)
def test_the_root_is_the_first_bridge_on_the_way_to_the_gpu(path: str, root: str | None) -> None:
    assert pcie_root(PciGpu("0000:65:00.0", path)) == root


@pytest.mark.parametrize(("text", "node"), [("1\n", 1), ("0", 0), ("-1", None), ("", None), ("none", None)])
def test_a_machine_without_numa_has_no_node(text: str, node: int | None) -> None:
    assert numa_node(PciGpu("0000:65:00.0", numa_node=text)) == node
