"""The stories in tests/stories/explain are true: told a story's world, Slicewire answers as is written there.

`SLICEWIRE_WRITE_STORIES=1` writes the answers anew; what stands above the `$` line is the author's.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from slicewire.allocator.core.changes import cheapest_change
from slicewire.allocator.core.fleet import place
from slicewire.allocator.core.snapshot import EMPTY, Snapshot
from slicewire.client.tables import explanation
from slicewire.common.model import (
    Change,
    Device,
    DeviceClaim,
    DeviceTaint,
    NodeName,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceSlice,
    Unsatisfiable,
    wire,
)
from tests.builders import DRIVER, a_class, a_counter_set, a_gpu, a_holding, a_slice, a_taint_rule

STORIES = sorted((Path(__file__).parents[2] / "stories" / "explain").glob("*.txt"))
ARCHITECTURES = {"H100": "Hopper", "A100": "Ampere", "T4": "Turing"}
TYPE = f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].type'
PROFILE = f'device.attributes["{DRIVER}"].profile'
CLASSES = (
    a_class("gpu.nvidia.com", f'{TYPE} == "gpu"'),
    a_class("mig", f'{TYPE} == "mig"'),
    a_class("mig-3g20gb", f'{TYPE} == "mig" && {PROFILE} == "3g20gb"'),
)
MIG_PLACEMENTS = {"3g20gb": (4, (0, 4)), "2g10gb": (2, (0, 2, 4)), "1g5gb": (1, range(7))}
"""How many of the eight memory slices of an A100 a profile takes, and from which it may start."""


class Story(NamedTuple):
    told: str
    """All of it down to the question."""
    world: Mapping[str, Any]
    claim: str
    answer: str


def read(path: Path) -> Story:
    told, question, answer = path.read_text().partition("\n$ slicewire explain ")
    claim, _, answer = answer.partition("\n")
    world = yaml.safe_load(textwrap.dedent(told[told.index("\n  nodes:") :]))
    return Story(f"{told}{question}{claim}\n", world, claim, answer)


def snapshot_of(world: Mapping[str, Any]) -> Snapshot:
    snapshot = EMPTY
    for each in CLASSES:
        snapshot = snapshot.with_class(each)
    for name, rule in world.get("rules", {}).items():
        snapshot = snapshot.with_taint_rule(a_taint_rule(name, *taint(rule["taint"]), pool=rule["pool"]))
    for name in world["nodes"]:
        node, published = NodeName(name), slices_of(name, world)
        snapshot = snapshot.with_slices(node, DRIVER, published)
        held = [
            a_holding(claim, published[0], *(device for at, _, device in places if at == name))
            for claim, written in world.get("held", {}).items()
            if (places := [place.strip().partition("/") for place in written.split(",")])
        ]
        snapshot = snapshot.with_holdings(node, DRIVER, tuple(each for each in held if each.results))
    return snapshot


def slices_of(node: str, world: Mapping[str, Any]) -> tuple[ResourceSlice, ...]:
    """`8 x H100`, or `2 x A100 in MIG mode`; of several slices only some may be published yet."""
    count, model = world["nodes"][node].removesuffix(" in MIG mode").split(" x ")
    taints = {place: taint(written) for place, written in world.get("tainted", {}).items()}
    gpus = [gpu(index, model, taints.get(f"{node}/gpu-{index}", ())) for index in range(int(count))]
    if world["nodes"][node].endswith(" in MIG mode"):
        return mig_slices(node, [device for index in range(int(count)) for device in placements(index)])
    slices = int(world.get("publishing", {}).get(node, "1 of 1 slices").split()[2])
    return (a_slice(gpus, node=node, name=node, of=slices),)


def taint(written: str) -> tuple[DeviceTaint, ...]:
    name, _, effect = written.rpartition(":")
    key, _, value = name.partition("=")
    return (DeviceTaint(key=key, value=value, effect=effect),)


def gpu(index: int, model: str, taints: Sequence[DeviceTaint]) -> Device:
    """Four of them share a PCIe root."""
    published: dict[str, Any] = {
        "architecture": ARCHITECTURES[model],
        "productName": f"NVIDIA {model}",
        "resource.kubernetes.io/pcieRoot": f"pci0000:{index // 4 * 8}0",
    }
    return a_gpu(index, taints=taints, **published)


def placements(index: int) -> list[Device]:
    return [
        a_gpu(
            index,
            name=f"gpu-{index}-mig-{profile}-{start}",
            draws={f"gpu-{index}": {f"memory-slice-{at}": "1" for at in range(start, start + size)}},
            type="mig",
            profile=profile,
        )
        for profile, (size, starts) in MIG_PLACEMENTS.items()
        for start in starts
    ]


def mig_slices(node: str, devices: Sequence[Device]) -> tuple[ResourceSlice, ...]:
    """Counters stand in a slice of their own."""
    names = sorted({each.counter_set for device in devices for each in device.consumes_counters})
    sets = [a_counter_set(name, **{f"memory-slice-{at}": "1" for at in range(8)}) for name in names]
    return (
        a_slice(devices, node=node, name=f"{node}-devices", of=2),
        a_slice(sets=sets, node=node, name=f"{node}-counters", of=2),
    )


def claim_of(story: Story) -> ResourceClaim:
    return ResourceClaim(
        metadata=ObjectMeta(name=story.claim, namespace="default", uid=f"uid-{story.claim}"),
        spec=ResourceClaimSpec(devices=wire.convert(story.world["claim"], DeviceClaim)),
    )


def answered(story: Story) -> str:
    claims, snapshot = [claim_of(story)], snapshot_of(story.world)
    refusal = place(claims, snapshot, snapshot.nodes)
    assert isinstance(refusal, Unsatisfiable), "a story is about a claim that does not fit"
    change = cheapest_change(claims, snapshot, snapshot.nodes, refusal)
    return f"{explanation(refusal)}\n\nWould fit if: {advice(change)}\n"


def advice(change: Change | None) -> str:
    if change is None:
        return "(no single change helps)"
    return f"{change.message}\n  then on {change.node}: {', '.join(each.device for each in change.devices)}"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_is_answered_as_it_is_written(path: Path) -> None:
    story = read(path)
    if os.environ.get("SLICEWIRE_WRITE_STORIES") == "1":
        path.write_text(story.told + answered(story))
    assert answered(story) == read(path).answer


def test_there_are_stories() -> None:
    assert len(STORIES) >= 8
