"""One node with H100 GPUs, every MIG placement published, and the allocator that fills it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import EMPTY, Holding, Snapshot
from slicewire.common.model import (
    CELDeviceSelector,
    ClaimUID,
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceClaim,
    DeviceClass,
    DeviceClassSpec,
    DeviceCounterConsumption,
    DeviceName,
    DeviceRequest,
    DeviceSelector,
    DriverName,
    ExactDeviceRequest,
    NodeName,
    ObjectMeta,
    PoolName,
    Quantity,
    ResourceClaim,
    ResourceClaimSpec,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)
from slicewire.common.model.packing import Packing


class Profile(NamedTuple):
    """A GPU instance profile as `nvidia-smi mig -lgip` and `-lgipp` show it for an H100 of 80 GB."""

    id: int
    slices: int
    starts: tuple[int, ...]
    multiprocessors: int
    copy_engines: int
    decoders: int
    ofa_engines: int = 0


PROFILES: Mapping[str, Profile] = {
    "1g.10gb": Profile(19, 1, (0, 1, 2, 3, 4, 5, 6), 16, 1, 1),
    "1g.10gb+me": Profile(20, 1, (0, 1, 2, 3, 4, 5, 6), 16, 1, 1, 1),
    "1g.20gb": Profile(15, 2, (0, 2, 4, 6), 26, 1, 1),
    "2g.20gb": Profile(14, 2, (0, 2, 4), 32, 2, 2),
    "3g.40gb": Profile(9, 4, (0, 4), 60, 3, 3),
    "4g.40gb": Profile(5, 4, (0,), 64, 4, 4),
    "7g.80gb": Profile(0, 8, (0,), 132, 8, 7, 1),
}
LARGE = ("3g.40gb", "4g.40gb", "7g.80gb")
GIB_PER_SLICE = 10
DRIVER, NODE = DriverName("gpu.nvidia.com"), NodeName("node-0")

BY_PROFILE = {name: f'device.attributes["{DRIVER}"].profile == "{name}"' for name in PROFILES}
"""What a claim asks for: this very profile."""
BY_MEMORY = {
    name: f'device.capacity["{DRIVER}"].memory.compareTo(quantity("{each.slices * GIB_PER_SLICE}Gi")) >= 0'
    for name, each in PROFILES.items()
}
"""What a claim asks for: anything with so much memory, a whole GPU or a partition."""


class Placed(NamedTuple):
    """Where on which GPU a partition is. The whole GPU is like its largest partition."""

    gpu: int
    profile: str
    start: int


class Node:
    """Claims are placed and released one by one, as the policy says."""

    def __init__(self, gpus: int, policy: Packing, asks: Mapping[str, str] = BY_PROFILE) -> None:
        self._snapshot = published(gpus).with_packing(policy)
        self._asks = asks
        self._holdings: dict[int, Holding] = {}
        self.placed: dict[int, Placed] = {}
        self._gpus = gpus

    def place(self, claim: int, profile: str) -> bool:
        answer = place([_claim(claim, self._asks[profile])], self._snapshot, (NODE,), DEFAULT)
        if not isinstance(answer, Placement):
            return False
        results = answer.results[0].devices.results
        self._holdings[claim] = Holding(ClaimUID(str(claim)), str(claim), results)
        self.placed[claim] = PLACES[results[0].device]
        self._tell()
        return True

    def put(self, claim: int, where: Placed) -> None:
        """Without asking the policy."""
        (name,) = (name for name, place in PLACES.items() if place == where and "-mig-" in name)
        answer = place(
            [_claim(claim, f'device.attributes["{DRIVER}"].name == "{name}"')], self._snapshot, (NODE,)
        )
        assert isinstance(answer, Placement)
        self._holdings[claim] = Holding(ClaimUID(str(claim)), str(claim), answer.results[0].devices.results)
        self.placed[claim] = where
        self._tell()

    def release(self, claim: int) -> None:
        if self.placed.pop(claim, None):
            del self._holdings[claim]
            self._tell()

    def large_placeable(self) -> int:
        """Placements of large profiles that are open, each by itself."""
        return sum(
            fits([each for each in self.placed.values() if each.gpu == gpu], Placed(gpu, name, start))
            for gpu in range(self._gpus)
            for name in LARGE
            for start in PROFILES[name].starts
        )

    def _tell(self) -> None:
        self._snapshot = self._snapshot.with_holdings(NODE, DRIVER, tuple(self._holdings.values()))


def fits(there: list[Placed], wanted: Placed) -> bool:
    """Beside what is on the same GPU: by memory slices, and by what else a GPU has only so much of."""
    profile, whole = PROFILES[wanted.profile], PROFILES["7g.80gb"]
    others = [PROFILES[each.profile] for each in there]
    end = wanted.start + profile.slices
    return all(
        each.start >= end or each.start + PROFILES[each.profile].slices <= wanted.start for each in there
    ) and all(
        getattr(profile, part) + sum(getattr(other, part) for other in others) <= getattr(whole, part)
        for part in ("multiprocessors", "copy_engines", "decoders", "ofa_engines")
    )


def published(gpus: int) -> Snapshot:
    """In the order of NVIDIA's driver: a slice for each GPU, devices by name."""
    sets = tuple(
        CounterSet(name=f"gpu-{gpu}-counter-set", counters=_counters(PROFILES["7g.80gb"], 0))
        for gpu in range(gpus)
    )
    parts = [_slice(0, gpus, shared_counters=sets)]
    parts += [_slice(gpu + 1, gpus, devices=tuple(_devices(gpu))) for gpu in range(gpus)]
    of_class = DeviceClass(metadata=ObjectMeta(name=DRIVER), spec=DeviceClassSpec())
    return EMPTY.with_class(of_class).with_slices(NODE, DRIVER, tuple(parts))


def _slice(number: int, gpus: int, **content: object) -> ResourceSlice:
    pool = ResourcePool(name=PoolName(NODE), generation=1, resource_slice_count=gpus + 1)
    return ResourceSlice(
        metadata=ObjectMeta(name=f"{NODE}-{number:03}"),
        spec=ResourceSliceSpec(driver=DRIVER, pool=pool, node_name=NODE, **content),  # type: ignore[arg-type]
    )


def _devices(gpu: int) -> Iterator[Device]:
    made = [_device(gpu, name, start) for name, each in PROFILES.items() for start in each.starts]
    whole = _device(gpu, "7g.80gb", 0)
    attributes = {key: value for key, value in whole.attributes.items() if key != "profile"}
    made.append(
        Device(
            name=DeviceName(f"gpu-{gpu}"),
            attributes={**attributes, "profile": DeviceAttribute(string="none")},
            capacity=whole.capacity,
            consumes_counters=whole.consumes_counters,
        )
    )
    yield from sorted(made, key=lambda device: device.name)


def name_of(place: Placed) -> str:
    profile = PROFILES[place.profile]
    text = place.profile.replace(".", "").replace("+", "-")
    return f"gpu-{place.gpu}-mig-{text}-{profile.id}-{place.start}"


def _device(gpu: int, name: str, start: int) -> Device:
    profile = PROFILES[name]
    device = name_of(Placed(gpu, name, start))
    capacity = {
        "memory": f"{profile.slices * GIB_PER_SLICE}Gi",
        "multiprocessors": str(profile.multiprocessors),
    }
    return Device(
        name=DeviceName(device),
        attributes={"profile": DeviceAttribute(string=name), "name": DeviceAttribute(string=device)},
        capacity={key: DeviceCapacity(value=Quantity(value)) for key, value in capacity.items()},
        consumes_counters=(
            DeviceCounterConsumption(
                counter_set=f"gpu-{gpu}-counter-set", counters=_counters(profile, start)
            ),
        ),
    )


def _counters(profile: Profile, start: int) -> dict[str, Counter]:
    amounts = {
        "multiprocessors": profile.multiprocessors,
        "copy-engines": profile.copy_engines,
        "decoders": profile.decoders,
        "ofa-engines": profile.ofa_engines,
        "memory": profile.slices * GIB_PER_SLICE,
        **{f"memory-slice-{at}": 1 for at in range(start, start + profile.slices)},
    }
    return {name: Counter(value=Quantity(str(amount))) for name, amount in amounts.items()}


def _claim(number: int, selector: str) -> ResourceClaim:
    exactly = ExactDeviceRequest(
        device_class_name=DRIVER,
        selectors=(DeviceSelector(cel=CELDeviceSelector(expression=selector)),),
        count=1,
    )
    request = DeviceRequest(name="partition", exactly=exactly)
    return ResourceClaim(
        metadata=ObjectMeta(name=f"claim-{number}", uid=str(number)),
        spec=ResourceClaimSpec(devices=DeviceClaim(requests=(request,))),
    )


MOST_GPUS = 8
PLACES: Mapping[str, Placed] = {
    **{f"gpu-{gpu}": Placed(gpu, "7g.80gb", 0) for gpu in range(MOST_GPUS)},
    **{
        name_of(place): place
        for gpu in range(MOST_GPUS)
        for name, each in PROFILES.items()
        for start in each.starts
        for place in (Placed(gpu, name, start),)
    },
}
