"""What one claim costs as the fleet grows: measured, and drawn as docs/performance-scale.svg.

    make bench-scale      (BENCH_NODES=1000 for a smaller fleet)

Nine nodes of ten are full; the claim goes to the first that has room. *First*: a question that nobody
has asked before, whose selector has to be compiled. *Again*: the same question once more. Each point is
the best of several, in CPU time. What each node has was gathered by a claim before; the commit to the
stream is not in it.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import fleet
from bench.allocator import asking
from bench.picture import Curve, drawn
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import EMPTY, Holding, Snapshot
from slicewire.allocator.view import slices_of
from slicewire.common.model import (
    ClaimUID,
    DeviceName,
    DeviceRequestAllocationResult,
    NodeName,
    PoolName,
    RequestName,
    ResourceClaim,
)

MOST = int(os.environ.get("BENCH_NODES", "5000"))
SIZES = tuple(size for size in (100, 200, 500, 1000, 2000, 5000) if size <= MOST)
UPSTREAM = ((100, 653.6e-6), (1000, 7.898e-3), (5000, 47.21e-3))
"""Kubernetes' structured allocator (v0.37 in development, incubating), recorded on a like machine: the
first node that fits of a fleet packed to 90 %, `packed90/one-gpu-matches`, warm CEL, its set-up counted."""
PICTURE = Path(__file__).parents[1] / "docs" / "performance-scale.svg"
_AGAIN = 200
_FIRST = 5


def snapshot_of(nodes: int, *, partitioned: bool) -> Snapshot:
    """A fleet of which nine nodes of ten are given away."""
    snapshot = EMPTY
    for each in fleet.classes():
        snapshot = snapshot.with_class(each.device_class)
    for number in range(nodes):
        pool = fleet.pool(number, partitioned=partitioned)
        snapshot = snapshot.with_slices(pool.node, pool.driver, slices_of(pool))
        if number < nodes * 9 // 10:
            snapshot = snapshot.with_holdings(pool.node, pool.driver, _everything(pool.node))
    return snapshot


def _everything(node: NodeName) -> tuple[Holding, ...]:
    """Every GPU of the node, whole, and with it whatever it could be parted into."""
    results = tuple(
        DeviceRequestAllocationResult(
            request=RequestName("gpu"),
            driver=fleet.DRIVER,
            pool=PoolName(node),
            device=DeviceName(f"gpu-{gpu}"),
        )
        for gpu in range(fleet.GPUS)
    )
    return (Holding(ClaimUID("earlier"), "bench/earlier", results),)


def unheard_of(partition: bool) -> ResourceClaim:
    """A claim whose selector nobody has written before: the comment changes nothing else."""
    claim = fleet.claim("new", partition=partition)
    (request,) = claim.spec.devices.requests
    assert request.exactly is not None
    (selector,) = request.exactly.selectors
    assert selector.cel is not None
    return asking(claim, f"{selector.cel.expression} // {time.time_ns()}")


def seconds(claim: ResourceClaim, snapshot: Snapshot, times: int) -> float:
    """The quickest of so many."""
    nodes, found = snapshot.nodes, []
    for _ in range(times):
        begun = time.process_time_ns()
        answer = place([claim], snapshot, nodes)
        found.append((time.process_time_ns() - begun) / 1e9)
        assert isinstance(answer, Placement), answer
    return min(found)


def measured(*, partitioned: bool) -> Iterator[tuple[int, float, float]]:
    """(devices, first, again) for each size of the fleet."""
    devices = fleet.GPUS * (fleet.PARTITIONS if partitioned else 1)
    for nodes in SIZES:
        snapshot = snapshot_of(nodes, partitioned=partitioned)
        place([unheard_of(partitioned)], snapshot, snapshot.nodes)  # gathers what each node has, once
        gc.collect()
        gc.disable()
        first = min(seconds(unheard_of(partitioned), snapshot, 1) for _ in range(_FIRST))
        again = seconds(fleet.claim("again", partition=partitioned), snapshot, _AGAIN)
        gc.enable()
        print(
            f"{nodes} nodes, {nodes * devices} devices: first {first * 1e3:.2f} ms,"
            f" again {again * 1e6:.0f} us",
            file=sys.stderr,
        )
        yield nodes, first, again


def curves() -> Sequence[Curve]:
    whole, parts = list(measured(partitioned=False)), list(measured(partitioned=True))
    most = SIZES[-1] * fleet.GPUS * fleet.PARTITIONS
    return (
        Curve("Kubernetes' allocator, recorded: 8 GPUs a node", "#b03a2e", UPSTREAM, dashed=True),
        Curve("ours, first: 8 GPUs a node", "#1f618d", tuple((n, first) for n, first, _ in whole)),
        Curve("ours, again: 8 GPUs a node", "#2e86c1", tuple((n, again) for n, _, again in whole)),
        Curve(
            f"ours, first: 8 x {fleet.PARTITIONS} MIG devices a node (to {most:,})",
            "#196f3d",
            tuple((n, first) for n, first, _ in parts),
        ),
        Curve(
            f"ours, again: 8 x {fleet.PARTITIONS} MIG devices a node",
            "#28b463",
            tuple((n, again) for n, _, again in parts),
        ),
    )


def main() -> int:
    title = "Deciding one claim on a fleet that is 90 % full"
    PICTURE.write_text(drawn(title, curves()))
    print(f"drawn: {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
