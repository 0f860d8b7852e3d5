"""Whatever kind of device a claim has, its pod finds the files that describe it where Kubernetes says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slicewire.node_prep.core.entry import Asker
from tests.component.node_prep.harness import Disk, Service, Wanted
from tests.component.node_prep.mps import cleared
from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import Trial
from tests.faults.told import bus_of, facts_of, tell
from tests.kubelet import runtime
from tests.unit.node_prep.builders import DRIVER, a_claim

pytestmark = pytest.mark.slow

ATTRIBUTES = "/var/run/kubernetes.io/dra-device-attributes"
NAMED = f"{ATTRIBUTES}/resourceclaims/named-claim-1"
FROM_TEMPLATE = f"{ATTRIBUTES}/resourceclaimtemplates/gpus-of-the-pod"
EACH_KIND = [kind for kind in KINDS if not kind.describes]


@asynccontextmanager
async def serving(kind: Kind, folder: Path, pod_claim_name: str) -> AsyncIterator[Service]:
    """node-prep that describes devices, asked for a claim of this kind."""
    Trial(kind, folder, None).set_up()
    facts = facts_of(folder / "new")
    [entry] = facts.ledger.entries
    entry = msgspec.structs.replace(entry, pod_claim_name=pod_claim_name)
    tell(
        folder / "new",
        msgspec.structs.replace(facts, ledger=msgspec.structs.replace(facts.ledger, entries=(entry,))),
    )
    disk = Disk(folder / "new")
    async with AsyncExitStack() as opened:
        nvml = opened.enter_context(closing(disk.open_nvml()))
        opened.enter_context(cleared(disk.mps.root))
        wanted = Wanted(with_kubelet=False, ledger_wait_seconds=5.0, describes=True)
        service = Service(disk, nvml, wanted)
        yield await opened.enter_async_context(service.running(partial(bus_of, folder / "new")))


def described(mount: Any) -> Any:
    """What the container reads there."""
    return json.loads(Path(mount["hostPath"]).read_text())


@pytest.fixture
def place() -> Iterator[Path]:
    """Of a short name: the path of a socket has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("pod_claim_name", "where"), [("", NAMED), ("gpus-of-the-pod", FROM_TEMPLATE)], ids=["named", "template"]
)
@pytest.mark.parametrize("kind", EACH_KIND, ids=lambda kind: kind.name)
async def test_a_pod_finds_the_published_attributes_under_its_own_name_of_the_claim(
    place: Path, kind: Kind, pod_claim_name: str, where: str
) -> None:
    async with serving(kind, place, pod_claim_name) as service:
        devices = await service.node_prep.prepare(a_claim(), Asker.BUS, {})
        assert isinstance(devices, tuple), devices
        ids = [one for device in devices for one in device.cdi_device_ids]
        container = runtime.container(ids, place / "new/cdi")
        found = [path for path in container.mounts if path.startswith(ATTRIBUTES)]
        assert found == [f"{where}/gpu/{DRIVER}-metadata.json"]
        said = described(container.mounts[found[0]])
        [request] = said["requests"]
        published = facts_of(place / "new").pool.devices
        assert said.get("podClaimName", "") == pod_claim_name
        assert [(one["name"], set(one["attributes"])) for one in request["devices"]] == [
            (device.name, set(map(str, device.attributes))) for device in published
        ]
        assert await service.node_prep.unprepare(a_claim(), Asker.BUS, {}) is None
    assert list((place / "new/plugin").glob("dra-device-metadata/*/*")) == []
