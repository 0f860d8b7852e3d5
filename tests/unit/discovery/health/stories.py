"""A node's health over several looks: each step says only what a test is about."""

from __future__ import annotations

import msgspec

from slicewire.common.model import Device, DeviceAttribute, DeviceName
from slicewire.common.nvml.condition import Condition, Ecc, RecoveryAction, RemappedRows
from slicewire.common.nvml.facts import Event, EventKind, GpuFacts, NvmlAbsent, Unseen
from slicewire.discovery.core.attributes import PCI_BUS_ID
from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.course import Examination, examined
from slicewire.discovery.core.health.findings import Health
from slicewire.discovery.core.health.rules import HealthRules
from slicewire.discovery.core.health.vitals import Life
from slicewire.discovery.core.pci import PciGpu
from tests.unit.discovery.builders import a_gpu, a_node, a_place

RULES = HealthRules()
BOTH_ON_THE_BUS = (a_place("1a"), a_place("1b"))
NONE, RESET = RecoveryAction.NONE, RecoveryAction.RESET


def like(minor: int = 0, **known: object) -> GpuFacts:
    """A GPU in this condition; one that needs no action unless it is said."""
    return a_gpu(minor, condition=msgspec.structs.replace(Condition(recovery_action=NONE), **known))


def errors(count: int) -> Ecc:
    return Ecc(enabled=True, pending=True, volatile_corrected=0, volatile_uncorrected=count)


def rows(*, pending: bool = False, failed: bool = False) -> RemappedRows:
    return RemappedRows(correctable=0, uncorrectable=1, pending=pending, failed=failed)


def xid(code: int, minor: int = 0, instance: int | None = None, compute: int | None = None) -> Event:
    return Event(EventKind.XID, f"GPU-{minor}", code, instance, compute)


def device(name: str, bus: str = "0000:1a:00.0", **texts: str) -> Device:
    given = {"type": "gpu", PCI_BUS_ID: bus, **texts}
    return Device(
        name=DeviceName(name), attributes={key: DeviceAttribute(string=text) for key, text in given.items()}
    )


class Story:
    """Of one node, told look by look; a minute passes between two unless it is said."""

    def __init__(self, rules: HealthRules = RULES, health: Health = Health()) -> None:  # noqa: B008
        self.rules = rules
        self.health = health
        self.now = 1_000_000

    def look(
        self,
        *gpus: GpuFacts,
        events: tuple[Event, ...] = (),
        unseen: tuple[Unseen, ...] = (),
        on_the_bus: tuple[PciGpu, ...] = BOTH_ON_THE_BUS,
        life: Life = Life(),  # noqa: B008
        devices: tuple[Device, ...] = (),
        after_seconds: int = 60,
    ) -> Story:
        return self._goes_on(
            Examination(
                facts=a_node(*gpus, unseen=unseen),
                now=self.now + after_seconds,
                on_the_bus=on_the_bus,
                events=events,
                devices=devices,
                life=life,
            )
        )

    def without_driver(self, *events: Event, life: Life = Life()) -> Story:  # noqa: B008
        facts = NvmlAbsent("Driver Not Loaded")
        return self._goes_on(Examination(facts=facts, now=self.now + 60, events=events, life=life))

    def _goes_on(self, exam: Examination) -> Story:
        self.now = exam.now
        self.health = examined(self.health, exam, self.rules)
        return self

    @property
    def found(self) -> set[tuple[Ailment, str, str]]:
        return {(finding.ailment, finding.gpu, finding.value) for finding in self.health.findings}

    @property
    def presence(self) -> dict[str, str]:
        return {vital.gpu: str(vital.presence) for vital in self.health.vitals}
