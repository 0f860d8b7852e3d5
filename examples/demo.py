"""One claim, end to end: real NATS, real gRPC, real files, simulated GPUs, a small Kubernetes API.

Run it with `make demo`. It tells each step as it really happens, and exits 1 at the first that does not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the small Kubernetes API and the kubelet's half live with the tests

from slicewire.client import library
from slicewire.client.library import Client
from slicewire.client.local import system
from slicewire.common.messages import ALLOCATION_LABEL, INVENTORY, LEDGERS, MANAGED_TAINT, LedgerEntry
from slicewire.common.model.naming import NVIDIA_DRIVER
from tests import otlp
from tests.kubeapi.controllers import running_controllers
from tests.kubeapi.server import serving
from tests.kubelet.client import AskedClaim, Kubelet, Plugin
from tests.kubelet.runtime import container

T = TypeVar("T")
NODES = ("node-a", "node-b")
EXAMPLES = (
    "one-gpu-per-pod",
    "one-gpu-two-containers",
    "two-gpus-same-pcie-root",
    "big-gpu",
    "two-pods-one-claim",
    "all-gpus-of-a-node",
)
STEP_SECONDS = 20.0
RESOURCES = "/apis/resource.k8s.io/v1"
PATHS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/default/pods",
    "DeviceClass": f"{RESOURCES}/deviceclasses",
    "ResourceClaim": f"{RESOURCES}/namespaces/default/resourceclaims",
    "ResourceClaimTemplate": f"{RESOURCES}/namespaces/default/resourceclaimtemplates",
}
TRACED_POD = "trainer-1"
TRACED_SPANS = ("tell claim", "commit to ledger", "prepare claim", "write claim status", "lift gate")


class StepFailed(Exception):
    """A step did not happen; the message says which, and what was there instead."""


class Story:
    """Tells what happens, with the time since the beginning."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def step(self, text: str) -> None:
        mark = "\033[1;32m" if self._colour else ""
        print(f"{mark}{time.monotonic() - self._begun:6.2f} s  {text}{mark and chr(27) + '[0m'}", flush=True)

    def detail(self, text: str) -> None:
        print(f"            {text}", flush=True)


class Api:
    """The Kubernetes API over HTTP, as kubectl would speak to it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str) -> Any:
        async with self._session.get(f"{self._url}{path}") as response:
            return await response.json()

    async def create(self, document: dict[str, Any]) -> None:
        path = PATHS[document["kind"]]
        async with self._session.post(f"{self._url}{path}", json=document) as response:
            if response.status >= 300:
                raise StepFailed(
                    f"{document['kind']} {document['metadata']['name']}: {await response.text()}"
                )

    async def delete_pod(self, name: str) -> None:
        async with self._session.delete(f"{self._url}{PATHS['Pod']}/{name}") as response:
            await response.read()

    async def pods(self) -> dict[str, Any]:
        return {pod["metadata"]["name"]: pod for pod in (await self.get(PATHS["Pod"]))["items"]}

    async def claims(self) -> dict[str, Any]:
        found = (await self.get(PATHS["ResourceClaim"]))["items"]
        return {claim["metadata"]["name"]: claim for claim in found}


async def until(what: str, look: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """Look again and again until it is so; a step that does not happen in time fails the demo."""
    found = await look()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            while not enough(found):
                await asyncio.sleep(0.03)
                found = await look()
    except TimeoutError:
        raise StepFailed(f"{what}: not within {STEP_SECONDS:.0f} s; there is {found}") from None
    return found


def documents(name: str) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text()) if found]


def with_gate(document: dict[str, Any]) -> dict[str, Any]:
    """On nodes that Slicewire allocates, a pod opts in with one line: a scheduling gate."""
    if document["kind"] == "Pod":
        document["spec"]["schedulingGates"] = [{"name": ALLOCATION_LABEL}]
    return document


class Demo:
    def __init__(
        self, story: Story, api: Api, client: Client, running: system.System, spans: otlp.Receiver
    ) -> None:
        self.story = story
        self.api = api
        self.client = client
        self.running = running
        self.plan = running.plan
        self.spans = spans

    async def run(self) -> None:
        await self.devices_are_discovered()
        await self.slices_are_published()
        await self.claims_are_allocated()
        async with self.kubelets() as plugins:
            await self.claims_are_prepared(plugins)
            trace = await self.trace_of_the_pod()
            await self.claims_are_released(plugins)
        await self.the_trace_is_whole(trace)

    async def devices_are_discovered(self) -> None:
        async def look() -> dict[str, int]:
            heard = await self.client.now(INVENTORY)
            return {fact.node: len(fact.devices) for fact in library.latest(heard, INVENTORY)}

        devices = await until("devices discovered", look, lambda found: found == dict.fromkeys(NODES, 8))
        self.story.step("devices discovered")
        for node, count in sorted(devices.items()):
            fact = next(
                f for f in library.latest(await self.client.now(INVENTORY), INVENTORY) if f.node == node
            )
            product = fact.devices[0].attributes["productName"].string
            self.story.detail(f"slicewire.v1.state.inventory.{node}.gpu_nvidia_com: {count} x {product}")

    async def slices_are_published(self) -> None:
        async def look() -> list[Any]:
            return list((await self.api.get(f"{RESOURCES}/resourceslices"))["items"])

        slices = await until("slices published", look, lambda found: len(found) == len(NODES))
        self.story.step("ResourceSlices published to the Kubernetes API")
        for found in sorted(slices, key=lambda item: item["spec"]["nodeName"]):
            spec = found["spec"]
            taints = {taint["key"] for device in spec["devices"] for taint in device.get("taints", ())}
            if taints != {MANAGED_TAINT}:
                raise StepFailed(f"devices of a managed pool carry {taints}, not {MANAGED_TAINT}")
            self.story.detail(
                f"{found['metadata']['name']}: {len(spec['devices'])} devices, tainted {MANAGED_TAINT}"
            )

    async def claims_are_allocated(self) -> None:
        for name in EXAMPLES:
            for document in documents(name):
                await self.api.create(with_gate(document))
        wanted = {d["metadata"]["name"] for name in EXAMPLES for d in documents(name) if d["kind"] == "Pod"}
        pods = await until(
            "pods bound",
            self.api.pods,
            lambda found: wanted <= {name for name, pod in found.items() if pod["spec"].get("nodeName")},
        )
        self.story.step(
            f"claims of {len(wanted)} gated pods allocated, written to their status, gates lifted"
        )
        claims = await self.api.claims()
        for pod in sorted(wanted):
            for claim in _claims_of(pods[pod]):
                results = claims[claim]["status"]["allocation"]["devices"]["results"]
                devices = ", ".join(f"{result['pool']}/{result['device']}" for result in results)
                self.story.detail(f"pod {pod:<19} claim {claim:<29} {devices}")

    async def claims_are_prepared(self, plugins: dict[str, Plugin]) -> None:
        pods, claims = await self.api.pods(), await self.api.claims()
        shown = None
        for pod in pods.values():
            node = pod["spec"]["nodeName"]
            for name in _claims_of(pod):
                asked = AskedClaim(uid=claims[name]["metadata"]["uid"], name=name)
                answer = await plugins[node].prepared(asked)
                made = container(answer.cdi_device_ids, self.plan.node_folder(node) / "cdi")
                if not any(path.startswith("/dev/nvidia") for path in made.device_nodes):
                    raise StepFailed(f"the container of claim {name} gets no device: {made}")
                file = self.plan.node_folder(node) / "cdi" / f"k8s.{NVIDIA_DRIVER}-claim_{asked.uid}.json"
                shown = (answer, made, file) if pod["metadata"]["name"] == TRACED_POD else shown
        if shown is None:
            raise StepFailed(f"pod {TRACED_POD} has not been prepared")
        self.story.step(f"prepared over the kubelet's gRPC sockets, {plugins[NODES[0]].version}")
        answer, made, file = shown
        self.story.detail(f"CDI id     {answer.cdi_device_ids[0]}")
        self.story.detail(f"CDI file   {file} ({file.stat().st_size} bytes)")
        self.story.detail(f"devices    {', '.join(made.device_nodes)}")
        libraries = sorted({path.rpartition("/")[2] for path in made.mounts if path.endswith(".so.1")})
        self.story.detail(f"libraries  {', '.join(libraries)}")
        self.story.detail(f"env        {json.dumps(dict(made.env))}")

    async def claims_are_released(self, plugins: dict[str, Plugin]) -> None:
        pods, claims = await self.api.pods(), await self.api.claims()
        for name, pod in pods.items():
            await self.api.delete_pod(name)
            asked = [AskedClaim(uid=claims[c]["metadata"]["uid"], name=c) for c in _claims_of(pod)]
            errors = await plugins[pod["spec"]["nodeName"]].unprepare(asked)
            if any(errors.values()):
                raise StepFailed(f"unprepare of pod {name}: {errors}")
        await until("ledger empty", self.entries, lambda found: not found)
        left = [path for node in NODES for path in (self.plan.node_folder(node) / "cdi").glob("*claim_*")]
        if left:
            raise StepFailed(f"CDI files are left behind: {left}")
        self.story.step("pods deleted: unprepared, deallocated, every device free again, no file left")

    async def the_trace_is_whole(self, trace: str) -> None:
        if not await self.spans.until_it_has(TRACED_SPANS, trace, STEP_SECONDS):
            names = [span.name for span in self.spans.trace(trace)]
            raise StepFailed(f"trace {trace} lacks some of {TRACED_SPANS}; it has {names}")
        self.story.step(f"one trace from the claim of pod {TRACED_POD} to its container ({trace})")
        for line in otlp.tree(self.spans.trace(trace)):
            self.story.detail(line)

    @asynccontextmanager
    async def kubelets(self) -> AsyncIterator[dict[str, Plugin]]:
        """A kubelet on every node, with the driver registered."""
        async with AsyncExitStack() as stack:
            yield {node: await stack.enter_async_context(self._plugin(node)) for node in NODES}

    @asynccontextmanager
    async def _plugin(self, node: str) -> AsyncIterator[Plugin]:
        kubelet = Kubelet(self.plan.node_folder(node) / "plugins_registry")
        async with kubelet.registered(NVIDIA_DRIVER, STEP_SECONDS) as plugin:
            yield plugin

    async def entries(self) -> list[LedgerEntry]:
        heard = await self.client.now(LEDGERS)
        return [entry for ledger in library.latest(heard, LEDGERS) for entry in ledger.entries]

    async def trace_of_the_pod(self) -> str:
        """The trace id of the claim that the demo shows."""
        entries = await self.entries()
        entry = next(e for e in entries if e.claim.name.startswith(f"{TRACED_POD}-gpu"))
        return entry.trace.split("-")[1]


def _claims_of(pod: dict[str, Any]) -> list[str]:
    made = {s["name"]: s["resourceClaimName"] for s in pod.get("status", {}).get("resourceClaimStatuses", ())}
    return [
        entry.get("resourceClaimName") or made[entry["name"]]
        for entry in pod["spec"].get("resourceClaims", ())
    ]


@asynccontextmanager
async def everything(folder: Path, story: Story, *, otlp_endpoint: str = "") -> AsyncIterator[Demo]:
    """The small Kubernetes API, then the whole of Slicewire, each part a process of its own.

    Spans go to a receiver of the demo's own, or to the endpoint that is given.
    """
    async with (
        otlp.receiving() as spans,
        serving() as small,
        running_controllers(small.store),
        aiohttp.ClientSession() as session,
    ):
        api = Api(session, small.url)
        for node in NODES:
            labels = {ALLOCATION_LABEL: "slicewire"}
            await api.create(
                {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels}}
            )
        for document in documents("deviceclasses"):
            await api.create(document)
        plan = system.Plan(
            folder=folder,
            nodes=NODES,
            kubeconfig=small.write_kubeconfig(folder / "kubeconfig"),
            kubelet=True,
            otlp_endpoint=otlp_endpoint or spans.endpoint,
        )
        async with system.running(plan, story.detail) as running:
            story.step(
                "nats-server with JetStream, two allocators, a publisher, two nodes of 8 H100: started"
            )
            story.detail(f"bus {running.nats_url}, Kubernetes API {small.url}, files {folder}")
            async with library.connect(running.nats_url, patience_seconds=10) as client:
                yield Demo(story, api, client, running, spans)


async def main() -> int:
    story = Story()
    with tempfile.TemporaryDirectory(prefix="slicewire-demo-") as folder:
        try:
            async with everything(Path(folder), story) as demo:
                await demo.run()
        except StepFailed as failed:
            print(f"\nThe demo failed: {failed}", file=sys.stderr)
            for log in sorted((Path(folder) / "logs").glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-1500:]}", file=sys.stderr)
            return 1
    story.step("done: every step above really happened")
    print(
        "\nLook further:\n"
        "  .venv/bin/slicewire up                                        the same system, until Ctrl-C\n"
        "  .venv/bin/slicewire inventory --watch                         every device, live\n"
        "  .venv/bin/slicewire claim -f examples/one-gpu-per-pod.yaml    devices for the claims of a file\n"
        "  .venv/bin/slicewire explain -f examples/all-gpus-of-a-node.yaml\n"
        "  .venv/bin/slicewire events                                    every fact as a JSON line"
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
