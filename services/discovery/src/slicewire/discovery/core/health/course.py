"""The course of a node's health: findings come with looks and events, and go when the GPU has recovered.

A finding never goes because nobody looked, nothing could be read, or the agent began anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import Device
from slicewire.common.nvml.condition import RecoveryAction
from slicewire.common.nvml.facts import Event, EventKind, NodeFacts, NvmlAbsent
from slicewire.discovery.core.health.ailments import EVENTFUL, Ailment, ailing
from slicewire.discovery.core.health.findings import Finding, Health
from slicewire.discovery.core.health.rules import Effect, HealthRules, Recovery
from slicewire.discovery.core.health.struck import instances_of, struck
from slicewire.discovery.core.health.vitals import Life, Presence, Sight, Vital, followed, was_reset
from slicewire.discovery.core.pci import PciGpu


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """One look, and the events since the one before it."""

    facts: NodeFacts | NvmlAbsent
    now: int
    on_the_bus: tuple[PciGpu, ...] = ()
    events: tuple[Event, ...] = ()
    devices: tuple[Device, ...] = ()
    """As this look offers them."""
    life: Life = Life()


def examined(before: Health, exam: Examination, rules: HealthRules) -> Health:
    facts = exam.facts
    if isinstance(facts, NvmlAbsent):  # no word of any GPU: what was true of them stays so
        return msgspec.structs.replace(before, findings=_with_events(before.findings, before, exam, rules))
    machine_is_new = _is_new(before.life.machine, exam.life.machine)
    all_reset = machine_is_new or _is_new(before.life.driver, exam.life.driver)
    sight = Sight(facts, exam.on_the_bus)
    now = Health(
        vitals=followed(before.vitals, sight, machine_is_new=machine_is_new),
        life=Life(exam.life.machine or before.life.machine, exam.life.driver or before.life.driver),
    )
    reset = _reset_since(before, now, everything=all_reset)
    course = _Course(now, _judgements(facts, now), instances_of(facts), exam.now, rules)
    going_on = (course.continued(finding) for finding in before.findings if not _ended_by(reset, finding))
    old = tuple(finding for finding in going_on if finding is not None)
    findings = _with_events((*old, *course.begun(old)), now, exam, rules)
    return msgspec.structs.replace(now, findings=findings)


def next_change(health: Health, rules: HealthRules, now: int) -> int | None:
    """When the next quiet time is over, so that looking then is worth while; None where none runs."""
    ends = (
        finding.quiet_since + rules.quiet_seconds(finding.ailment)
        for finding in health.findings
        if finding.quiet_since is not None
    )
    return min((end for end in ends if end > now), default=None)


class _Course(msgspec.Struct, frozen=True):
    """What one look says about findings."""

    health: Health
    judged: Mapping[tuple[str, Ailment], str]
    """By UUID and ailment what the taint says, "" where it is well; no entry where it cannot be told."""
    instances: Mapping[str, frozenset[str]]
    """By UUID the MIG devices there are."""
    now: int
    rules: HealthRules

    def continued(self, finding: Finding) -> Finding | None:
        """None when it is over."""
        vital = next((vital for vital in self.health.vitals if vital.gpu == finding.gpu), None)
        if vital is None or self._instance_is_gone(finding):
            return None
        if finding.ailment in EVENTFUL:
            return None if self._is_forgiven(finding, vital) else finding
        return self._as_judged(finding)

    def begun(self, known: tuple[Finding, ...]) -> Iterator[Finding]:
        """What this look shows to be wrong and was not found before."""
        found = {(finding.gpu, finding.ailment) for finding in known}
        for (gpu, ailment), value in self.judged.items():
            if value and (gpu, ailment) not in found:
                yield Finding(ailment=ailment, gpu=gpu, value=value, since=self.now)

    def _instance_is_gone(self, finding: Finding) -> bool:
        there = self.instances.get(finding.gpu)
        return bool(finding.instance) and there is not None and finding.instance not in there

    def _as_judged(self, finding: Finding) -> Finding | None:
        match self.judged.get((finding.gpu, finding.ailment)):
            case None:
                return finding
            case "":
                since = self.now if finding.quiet_since is None else min(finding.quiet_since, self.now)
                calming = msgspec.structs.replace(finding, quiet_since=since)
                return None if self._has_been_quiet(calming) else calming
            case value:
                return msgspec.structs.replace(finding, value=value, quiet_since=None)

    def _is_forgiven(self, finding: Finding, vital: Vital) -> bool:
        """The quiet time of what only events tell, as far as its rule lets it count."""
        if vital.presence is not Presence.HERE or not self._has_been_quiet(finding):
            return False
        if finding.ailment is not Ailment.XID:
            return True
        match self.rules.xid.recovery:
            case Recovery.RESET:
                return False
            case Recovery.ACTION:
                return vital.action is RecoveryAction.NONE
            case Recovery.QUIET:
                return vital.action in {None, RecoveryAction.NONE}

    def _has_been_quiet(self, finding: Finding) -> bool:
        quiet_since = self.now if finding.quiet_since is None else finding.quiet_since
        return self.now - quiet_since >= self.rules.quiet_seconds(finding.ailment)


def _judgements(node: NodeFacts, health: Health) -> Mapping[tuple[str, Ailment], str]:
    read = {(gpu.uuid, ailment): value for gpu in node.gpus for ailment, value in ailing(gpu).items()}
    there = {
        (vital.gpu, Ailment.LOST): str(vital.presence) if vital.is_lost else ""
        for vital in health.vitals
        if vital.presence is not Presence.ELSEWHERE
    }
    return {**there, **read}


def _reset_since(before: Health, now: Health, *, everything: bool) -> frozenset[str]:
    earlier = {vital.gpu: vital for vital in before.vitals}
    return frozenset(
        vital.gpu
        for vital in now.vitals
        if everything or (vital.gpu in earlier and was_reset(earlier[vital.gpu], vital))
    )


def _ended_by(reset: frozenset[str], finding: Finding) -> bool:
    return finding.gpu in reset and finding.ailment in EVENTFUL


def _is_new(before: str, now: str) -> bool:
    return bool(before) and bool(now) and before != now


def _with_events(
    findings: tuple[Finding, ...], health: Health, exam: Examination, rules: HealthRules
) -> tuple[Finding, ...]:
    """Those found before keep the time they began."""
    found = {finding.identity: finding for finding in findings}
    for event in exam.events:
        for heard in _heard(event, health, exam, rules):
            first = found.get(heard.identity, heard)
            found[heard.identity] = msgspec.structs.replace(heard, since=first.since)
    return tuple(sorted(found.values(), key=lambda finding: finding.identity))


def _heard(event: Event, health: Health, exam: Examination, rules: HealthRules) -> Iterator[Finding]:
    match event.kind:
        case EventKind.XID if rules.xid.effect_of(event.code) is not Effect.OFF:
            part = struck(event, exam.facts, exam.devices)
            yield Finding(
                ailment=Ailment.XID,
                gpu=event.gpu,
                value=str(event.code),
                since=exam.now,
                quiet_since=exam.now,
                devices=part.devices,
                instance=part.instance,
            )
        case EventKind.UNHEARD:
            for vital in health.vitals:
                yield Finding(
                    ailment=Ailment.UNMONITORED, gpu=vital.gpu, since=exam.now, quiet_since=exam.now
                )
        case _:
            """It says that looking is worth while, and we have looked."""
