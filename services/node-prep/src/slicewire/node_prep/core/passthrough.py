"""Whether a GPU can be handed to a virtual machine, and which kernel driver does it. Pure.

The kernel gives an IOMMU group to a machine whole or not at all, so what else is in the GPU's group counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from fnmatch import fnmatchcase

import msgspec

from slicewire.node_prep.core.refusal import PrepareRefusal, Why

NVIDIA = "nvidia"
USUAL_MODULE = "vfio_pci"
_BRIDGE = "0x06"
"""PCI class of bridges, which VFIO lets be in a group (Linux, drivers/vfio: devices with a header of type
0 only need a driver of its own)."""
_HARMLESS = frozenset({"", "pci-stub"})
_ALIAS = re.compile(r"^alias vfio_pci:(\S+) (\S+)$", re.MULTILINE)


class Member(msgspec.Struct, frozen=True):
    """A PCI device of an IOMMU group."""

    pci_bus_id: str
    pci_class: str
    """As sysfs writes it: `0x030200`."""
    driver: str
    """The kernel driver that has it; empty for none."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU as sysfs shows it."""

    pci_bus_id: str
    driver: str
    """The kernel driver that has it; empty for none."""
    group: str
    """Its IOMMU group; empty where the IOMMU is off."""
    members: tuple[Member, ...]
    """Of its group, itself too."""
    virtual_functions: int = 0
    """How many are cut out of it for vGPUs (SR-IOV)."""


def is_vfio(driver: str) -> bool:
    """`vfio-pci`, and those of single models such as `nvgrace_gpu_vfio_pci`."""
    return "vfio" in driver


def obstacle(gpu: Function, ours: Set[str]) -> PrepareRefusal | None:
    """What forbids to hand it to a machine. `ours` are the GPUs that the claim has for machines."""
    place = gpu.pci_bus_id
    if not gpu.group:
        return PrepareRefusal(
            Why.DRIVER,
            f"{place} is in no IOMMU group: turn the IOMMU on, in the firmware and with intel_iommu=on"
            " or amd_iommu=on on the kernel's command line",
        )
    if gpu.driver and gpu.driver != NVIDIA and not is_vfio(gpu.driver):
        return PrepareRefusal(
            Why.BUSY, f"kernel driver {gpu.driver} has {place}: only {NVIDIA} is asked to let go of a GPU"
        )
    if gpu.virtual_functions:
        return PrepareRefusal(
            Why.BUSY,
            f"{gpu.virtual_functions} virtual functions are cut out of {place} (SR-IOV):"
            " write 0 to its sriov_numvfs first",
        )
    held = tuple(one for one in gpu.members if not _may_stay(one, {place, *ours}))
    return _companions(gpu, held) if held else None


def module_for(modalias: str, aliases: str) -> str:
    """The module whose line in the kernel's `modules.alias` fits the device with the fewest wildcards."""
    device = modalias.strip().partition(":")[2]
    fitting = (line for line in _ALIAS.findall(aliases) if fnmatchcase(device, line[0]))
    return min(fitting, key=lambda line: line[0].count("*"), default=("", USUAL_MODULE))[1]


def names_of(module: str) -> tuple[str, str]:
    """A driver may be called like its module, or with `-` for `_`."""
    return module, module.replace("_", "-")


def _may_stay(member: Member, ours: Set[str]) -> bool:
    return (
        member.pci_bus_id in ours
        or member.pci_class.startswith(_BRIDGE)
        or member.driver in _HARMLESS
        or is_vfio(member.driver)
    )


def _companions(gpu: Function, held: Iterable[Member]) -> PrepareRefusal:
    named = ", ".join(f"{one.pci_bus_id} ({one.driver})" for one in held)
    return PrepareRefusal(
        Why.BUSY,
        f"IOMMU group {gpu.group} of {gpu.pci_bus_id} can only be handed over whole, and other drivers have"
        f" devices of it: {named}; bind them to vfio-pci, or to no driver",
    )
