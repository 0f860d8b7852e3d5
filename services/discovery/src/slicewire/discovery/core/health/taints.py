"""Findings → taints on the devices that they are about, and what told taints say of findings.

One taint for a key: of several XIDs the one with the most severe effect is shown, then the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from slicewire.common.model import Device, DeviceTaint
from slicewire.discovery.core.health.ailments import EVENTFUL, TAINT_KEYS, Ailment
from slicewire.discovery.core.health.findings import Finding, Health
from slicewire.discovery.core.health.places import owner, place
from slicewire.discovery.core.health.rules import SEVERITY, Effect, HealthRules
from slicewire.discovery.core.health.vitals import Vital

_AILMENTS = {key: ailment for ailment, key in TAINT_KEYS.items()}


def tainted(devices: tuple[Device, ...], health: Health, rules: HealthRules) -> tuple[Device, ...]:
    """The devices with the taints of their findings; a healthy one is the same object as before."""
    places = {vital.gpu: vital.bus_id for vital in health.vitals}
    ill: dict[str, list[Finding]] = {}
    for finding in health.findings:
        if finding.gpu in places:
            ill.setdefault(places[finding.gpu], []).append(finding)
    return tuple(_tainted(device, ill.get(place(device), ()), rules) for device in devices)


def _tainted(device: Device, findings: Iterable[Finding], rules: HealthRules) -> Device:
    its_own = (finding for finding in findings if not finding.devices or device.name in finding.devices)
    worst: dict[str, tuple[Finding, Effect]] = {}
    for finding in sorted(its_own, key=lambda one: _weight(one, rules)):
        effect = rules.effect(finding.ailment, finding.value)
        if effect is not Effect.OFF:
            worst[TAINT_KEYS[finding.ailment]] = finding, effect
    if not worst:
        return device
    taints = (_taint(key, *worst[key]) for key in sorted(worst))
    return msgspec.structs.replace(device, taints=(*device.taints, *taints))


def _weight(finding: Finding, rules: HealthRules) -> tuple[int, int, str]:
    return SEVERITY[rules.effect(finding.ailment, finding.value)], finding.since, finding.value


def _taint(key: str, finding: Finding, effect: Effect) -> DeviceTaint:
    began = datetime.fromtimestamp(finding.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return DeviceTaint(key=key, value=finding.value, effect=str(effect), time_added=began)


def as_told(devices: tuple[Device, ...], now: int) -> Health:
    """The health that these devices were told with: for an agent that lost its own memory of it."""
    gpus: dict[str, list[Device]] = {}
    for device in devices:
        gpus.setdefault(place(device), []).append(device)
    owners = {bus: next(filter(None, map(owner, of_gpu)), "") for bus, of_gpu in gpus.items()}
    vitals = tuple(Vital(gpu=uuid, bus_id=bus) for bus, uuid in sorted(owners.items()) if uuid and bus)
    findings = (finding for vital in vitals for finding in _found(vital.gpu, gpus[vital.bus_id], now))
    return Health(findings=tuple(findings), vitals=vitals)


def _found(gpu: str, devices: list[Device], now: int) -> Iterator[Finding]:
    """A taint that only some devices of the GPU have is about these."""
    having: dict[DeviceTaint, list[Device]] = {}
    for device in devices:
        for taint in filter(_is_ours, device.taints):
            having.setdefault(taint, []).append(device)
    for taint, ill in having.items():
        ailment = _AILMENTS[taint.key]
        yield Finding(
            ailment=ailment,
            gpu=gpu,
            value=taint.value,
            since=_seconds(taint.time_added, now),
            quiet_since=now if ailment in EVENTFUL else None,
            devices=() if len(ill) == len(devices) else tuple(device.name for device in ill),
        )


def _is_ours(taint: DeviceTaint) -> bool:
    ailment = _AILMENTS.get(taint.key)
    return ailment is not None and (ailment is not Ailment.XID or taint.value.isdecimal())


def _seconds(time: str | None, otherwise: int) -> int:
    try:
        return int(datetime.fromisoformat(time or "").timestamp())
    except ValueError:
        return otherwise


def differing(before: Health, now: Health) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What is found anew, and what is over."""
    old: Mapping[tuple[str, ...], Finding] = {finding.identity: finding for finding in before.findings}
    new: Mapping[tuple[str, ...], Finding] = {finding.identity: finding for finding in now.findings}
    begun = tuple(finding for identity, finding in new.items() if identity not in old)
    return begun, tuple(finding for identity, finding in old.items() if identity not in new)
