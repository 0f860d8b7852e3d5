"""Findings become taints on what they are about, and are read back from what was told."""

from __future__ import annotations

from slicewire.common.model import Device, DeviceName, DeviceTaint
from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.findings import Finding, Health
from slicewire.discovery.core.health.rules import Effect, HealthRules, Rule, XidRule
from slicewire.discovery.core.health.taints import as_told, differing, tainted
from slicewire.discovery.core.health.vitals import Vital
from tests.unit.discovery.health.stories import RULES, device

FIRST, SECOND = device("gpu-0", uuid="GPU-0"), device("gpu-1", bus="0000:1b:00.0", uuid="GPU-1")
PARTITIONS = tuple(
    device(f"gpu-0-mig-1g10gb-19-{n}", type="mig", uuid=f"MIG-{n}", parentUUID="GPU-0") for n in (0, 1)
)
VITALS = (Vital(gpu="GPU-0", bus_id="0000:1a:00.0"), Vital(gpu="GPU-1", bus_id="0000:1b:00.0"))
XID = "gpu.nvidia.com/xid"


def a_finding(value: str = "79", ailment: Ailment = Ailment.XID, **known: object) -> Finding:
    given = {"gpu": "GPU-0", "since": 1_700_000_000, **known}
    return Finding(ailment=ailment, value=value, **given)  # type: ignore[arg-type]


def put_on(*findings: Finding, devices: tuple[Device, ...], rules: HealthRules = RULES) -> tuple[Device, ...]:
    return tainted(devices, Health(findings=findings, vitals=VITALS), rules)


def test_a_taint_says_what_and_since_when_and_healthy_devices_are_untouched() -> None:
    ill, well = put_on(a_finding(), devices=(FIRST, SECOND))
    assert ill.taints == (
        DeviceTaint(key=XID, value="79", effect="NoSchedule", time_added="2023-11-14T22:13:20Z"),
    )
    assert well is SECOND


def test_the_partitions_of_a_gpu_share_what_is_said_of_it() -> None:
    assert all(one.taints for one in put_on(a_finding(), devices=PARTITIONS))


def test_what_is_said_of_one_partition_is_said_of_it_alone() -> None:
    about_one = a_finding(devices=(PARTITIONS[1].name,))
    assert [bool(one.taints) for one in put_on(about_one, devices=PARTITIONS)] == [False, True]


def test_of_several_xids_the_most_severe_is_shown_and_then_the_newest() -> None:
    rules = HealthRules(xid=XidRule(effects={48: Effect.NO_EXECUTE}))
    found = (a_finding("94", since=30), a_finding("48", since=10), a_finding("62", since=40))
    (severe,) = put_on(*found, devices=(FIRST,), rules=rules)
    (newest,) = put_on(*found, devices=(FIRST,))
    assert [(one.value, one.effect) for one in severe.taints] == [("48", "NoExecute")]
    assert [(one.value, one.effect) for one in newest.taints] == [("62", "NoSchedule")]


def test_a_rule_that_is_off_puts_no_taint() -> None:
    rules = HealthRules(thermal=Rule(effect=Effect.OFF))
    hot = a_finding("hardwareThermal", Ailment.THERMAL)
    assert put_on(hot, devices=(FIRST,), rules=rules) == (FIRST,)


def test_taints_of_others_stay() -> None:
    marked = Device(
        name=FIRST.name, attributes=FIRST.attributes, taints=(DeviceTaint(key="a/b", effect="NoSchedule"),)
    )
    (ill,) = put_on(a_finding(), devices=(marked,))
    assert [taint.key for taint in ill.taints] == ["a/b", XID]


def test_what_was_told_says_what_was_found() -> None:
    found = (
        a_finding(quiet_since=99, devices=(PARTITIONS[0].name,)),
        a_finding("hardwareThermal", Ailment.THERMAL),
        a_finding("lost", Ailment.LOST, gpu="GPU-1"),
    )
    told = put_on(*found, devices=(*PARTITIONS, SECOND))
    heard = as_told(told, now=99)
    assert set(heard.findings) == set(found)
    assert heard.vitals == VITALS


def test_taints_that_are_not_ours_or_make_no_sense_are_not_taken_over() -> None:
    strange = (
        DeviceTaint(key=XID, value="?", effect="NoSchedule"),
        DeviceTaint(key="a/b", effect="NoSchedule"),
    )
    told = Device(name=DeviceName("gpu-0"), attributes=FIRST.attributes, taints=strange)
    assert as_told((told,), now=1).findings == ()


def test_a_taint_without_a_readable_time_is_from_now_on() -> None:
    told = Device(
        name=DeviceName("gpu-0"),
        attributes=FIRST.attributes,
        taints=(DeviceTaint(key=XID, value="79", effect="NoSchedule", time_added="yesterday"),),
    )
    (finding,) = as_told((told,), now=5).findings
    assert (finding.since, finding.quiet_since) == (5, 5)


def test_what_began_and_what_is_over_is_told_apart() -> None:
    old, new, same = a_finding("62"), a_finding("94"), a_finding("79")
    before, now = Health(findings=(old, same)), Health(findings=(new, same))
    assert differing(before, now) == ((new,), (old,))
