"""What sysfs says of a GPU's place, and what it means."""

from __future__ import annotations

import pytest

from slicewire.discovery.core.pci import (
    PciGpu,
    addressable_memory,
    bus_id,
    is_for_machines,
    numa_node,
    pcie_root,
)


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


RESOURCE = """\
0x0000206000000000 0x0000207fffffffff 0x000000000014220c
0x0000000000000000 0x0000000000000000 0x0000000000000000
0x000020a000000000 0x000020a001ffffff 0x000000000014220c
0x0000000000000000 0x0000000000000000 0x0000000000000000
0x00000000a0000000 0x00000000a0ffffff 0x0000000000040200
0x0000000000000000 0x0000000000000000 0x0000000000000000
0x00000000b0000000 0x00000000b007ffff 0x0000000000046204
"""


def test_addressable_memory_is_that_of_the_64_bit_regions_rounded_up() -> None:
    assert addressable_memory(PciGpu("0000:1a:00.0", resource=RESOURCE)) == 256 * 1024**3


@pytest.mark.parametrize("resource", ["", "no such thing\n", "0x0 0x0 0x0\n" * 6])
def test_without_regions_no_memory_is_addressable(resource: str) -> None:
    assert addressable_memory(PciGpu("0000:1a:00.0", resource=resource)) is None


@pytest.mark.parametrize(
    ("driver", "is_for"), [("vfio-pci", True), ("nvgrace_gpu_vfio_pci", True), ("", True), ("nvidia", False)]
)
def test_what_no_driver_or_one_of_vfio_has_is_for_machines(driver: str, is_for: bool) -> None:
    assert is_for_machines(PciGpu("0000:1a:00.0", kernel_driver=driver)) is is_for
