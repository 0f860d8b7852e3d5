"""What is asked of a node, one line for each way of preparing a device.

A new way joins here by the device and the configuration that ask for it; its steps are found by doing it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from slicewire.common.model import Device, DeviceAllocationConfiguration, Quantity
from slicewire.node_prep.core.driver import bus_id
from tests.component.node_prep.machines import Machines
from tests.component.node_prep.mps import shared
from tests.component.node_prep.nvidias import cdi_file
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_config, a_function


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """`devices` also makes the node as it is before anybody asks."""

    name: str
    devices: Callable[[Workbench], tuple[Device, ...]]
    config: tuple[DeviceAllocationConfiguration, ...] = ()
    result: dict[str, Any] = msgspec.field(default_factory=dict)
    describes: bool = False


def _left_in_mig_mode(node: Workbench) -> tuple[Device, ...]:
    node.nvml.set_mig_mode(node.gpu().uuid, enabled=True)
    return (node.whole(),)


def _made_by_others(node: Workbench) -> tuple[Device, ...]:
    node.by_another_hand(start=3)
    mig = node.gpu().mig
    assert mig is not None
    return (node.part(3, uuid=mig.instances[0].compute_instances[0].uuid),)


def _beside_others(node: Workbench) -> tuple[Device, ...]:
    node.by_another_hand(start=3)
    return (node.part(0),)


def _for_a_machine(node: Workbench) -> tuple[Device, ...]:
    """Its number is another one than the GPU's."""
    place = bus_id(node.gpu().pci_bus_id)
    return (a_function(7, place),)


def _for_a_machine_together(node: Workbench) -> tuple[Device, ...]:
    """Two of one IOMMU group, which can only be handed over whole."""
    machines = Machines(node)
    machines.companion(machines.gpu(1).pci_bus_id, "nvidia", "0x030200")
    return (machines.device(0), machines.device(1))


def _prepared_by_nvidias_driver(node: Workbench) -> tuple[Device, ...]:
    node.by_another_hand(start=3)
    part = node.part(3)
    cdi_file(node.cdi_root, "claim-1", part.name)
    return (part,)


_LIMITS = shared(
    defaultActiveThreadPercentage=30,
    defaultPinnedDeviceMemoryLimit="4Gi",
    defaultPerDevicePinnedMemoryLimit={"1": "2Gi"},
    multiUser=True,
)
_SLICED = (a_config(sharing={"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}),)

KINDS: tuple[Kind, ...] = (
    Kind(name="exclusive GPU", devices=lambda node: (node.whole(),)),
    Kind(name="exclusive GPU, found in MIG mode", devices=_left_in_mig_mode),
    Kind(name="two GPUs", devices=lambda node: (node.whole(0), node.whole(1))),
    Kind(name="time-slicing", devices=lambda node: (node.whole(),), config=_SLICED),
    Kind(
        name="share of a GPU", devices=lambda node: (node.whole(),), config=_SLICED, result={"share_id": "a"}
    ),
    Kind(name="static MIG", devices=_made_by_others),
    Kind(name="dynamic MIG", devices=lambda node: (node.part(0),)),
    Kind(name="dynamic MIG beside others'", devices=_beside_others),
    Kind(name="dynamic MIG, two of one GPU", devices=lambda node: (node.part(0), node.part(1))),
    Kind(name="dynamic MIG, described", devices=lambda node: (node.part(0),), describes=True),
    Kind(name="GPU for a virtual machine", devices=_for_a_machine),
    Kind(name="two GPUs of one IOMMU group", devices=_for_a_machine_together),
    Kind(name="MPS", devices=lambda node: (node.whole(),), config=shared()),
    Kind(name="MPS with limits", devices=lambda node: (node.whole(0), node.whole(1)), config=_LIMITS),
    Kind(
        name="share of a GPU with MPS",
        devices=lambda node: (node.whole(),),
        config=shared(),
        result={"share_id": "a", "consumed_capacity": {"memory": Quantity("10Gi")}},
    ),
    Kind(name="dynamic MIG with MPS", devices=lambda node: (node.part(0),), config=shared("MigDeviceConfig")),
    Kind(name="dynamic MIG, taken over from NVIDIA's driver", devices=_prepared_by_nvidias_driver),
    Kind(name="administrative access", devices=lambda node: (node.whole(),), result={"admin_access": True}),
)
