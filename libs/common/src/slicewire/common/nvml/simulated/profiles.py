"""The GPU models that the simulated room knows.

Figures as NVML gives them on the real product; how each can be cut is in `cuts`, where it sits in
`board`.
"""

from __future__ import annotations

import msgspec

from slicewire.common.nvml.partitions import MigProfile
from slicewire.common.nvml.simulated.cuts import PROFILES

_MIB = 1024**2


class Links(msgspec.Struct, frozen=True):
    """NVLinks of one GPU, to the switches of its board."""

    version: str
    to_switch: tuple[int, ...]
    """How many go to the first switch, to the second, and so on."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    product_name: str
    architecture: str
    cuda_compute_capability: str
    memory_bytes: int
    pci_device_id: str
    power_limit_milliwatts: int
    brand: str = "Nvidia"
    slowdown_celsius: int = 89
    addressing_mode: str | None = None
    links: Links | None = None
    has_fabric: bool = False
    """NVML tells a fabric state."""
    spans_nodes: bool = False
    """Its fabric reaches beyond the node."""
    driver_version: str = "550.163.01"
    cuda_driver_version: str = "12.4"

    @property
    def mig_profiles(self) -> tuple[MigProfile, ...]:
        return PROFILES.get(self.product_name, ())

    @property
    def can_be_cut(self) -> bool:
        return bool(self.mig_profiles)

    @property
    def mig_needs_reset(self) -> bool:
        """Ampere notes a new MIG mode and has it after a reset, later ones at once (MIG user guide)."""
        return self.architecture == "Ampere"

    @property
    def remaps_rows(self) -> bool:
        """From Ampere on memory has spare rows; before, pages of it are retired."""
        return self.architecture != "Turing"


def _blackwell(name: str, device_id: str, mib: int, watts: int, *, spans_nodes: bool = False) -> Model:
    return Model(
        product_name=name,
        architecture="Blackwell",
        cuda_compute_capability="10.0",
        memory_bytes=mib * _MIB,
        pci_device_id=device_id,
        power_limit_milliwatts=watts * 1000,
        slowdown_celsius=87,
        addressing_mode="ATS" if spans_nodes else "HMM",
        links=Links("5.0", (9, 9)),
        has_fabric=True,
        spans_nodes=spans_nodes,
        driver_version="580.126.20",  # 550 knows no Blackwell
        cuda_driver_version="13.0",
    )


def _hopper(name: str, device_id: str, mib: int) -> Model:
    return Model(
        product_name=name,
        architecture="Hopper",
        cuda_compute_capability="9.0",
        memory_bytes=mib * _MIB,
        pci_device_id=device_id,
        power_limit_milliwatts=700_000,
        slowdown_celsius=87,
        links=Links("4.0", (5, 4, 4, 5)),
        has_fabric=True,
    )


def _a100(name: str, device_id: str, mib: int) -> Model:
    return Model(
        product_name=name,
        architecture="Ampere",
        cuda_compute_capability="8.0",
        memory_bytes=mib * _MIB,
        pci_device_id=device_id,
        power_limit_milliwatts=400_000,
        links=Links("3.1", (2, 2, 2, 2, 2, 2)),
    )


MODELS = {
    "h100": _hopper("NVIDIA H100 80GB HBM3", "0x2330", 81559),
    "h200": _hopper("NVIDIA H200", "0x2335", 143771),
    "b200": _blackwell("NVIDIA B200", "0x2901", 183359, 1000),
    "gb200": _blackwell("NVIDIA GB200", "0x2941", 189471, 1200, spans_nodes=True),
    "a100-40gb": _a100("NVIDIA A100-SXM4-40GB", "0x20b0", 40960),
    "a100-80gb": _a100("NVIDIA A100-SXM4-80GB", "0x20b2", 81920),
    "l40s": Model(
        product_name="NVIDIA L40S",
        architecture="Ada Lovelace",
        cuda_compute_capability="8.9",
        memory_bytes=46068 * _MIB,
        pci_device_id="0x26b9",
        power_limit_milliwatts=350_000,
    ),
    "t4": Model(
        product_name="Tesla T4",
        architecture="Turing",
        cuda_compute_capability="7.5",
        memory_bytes=15360 * _MIB,
        pci_device_id="0x1eb8",
        power_limit_milliwatts=70_000,
        slowdown_celsius=93,
    ),
}
