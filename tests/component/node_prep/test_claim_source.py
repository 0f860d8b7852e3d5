"""Where the operator gave credentials for it, a claim is read from Kubernetes while the bus is away."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.settings import BadSettings
from slicewire.node_prep import credentials
from slicewire.node_prep.claimsource import Kubernetes, source
from slicewire.node_prep.core.node import Allocation, Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.component.node_prep.harness import SOON_SECONDS, Service, Station, asked, held
from tests.unit.node_prep.builders import DRIVER, a_claim

pytestmark = pytest.mark.slow

CLAIM = a_claim("claim-1")
RESULT = {"request": "gpu", "driver": DRIVER, "pool": "node-a", "device": "gpu-0"}
PATH = f"/apis/resource.k8s.io/v1/namespaces/{CLAIM.namespace}/resourceclaims/{CLAIM.name}"
TOKEN = "let-me-in"


def a_resource_claim(uid: str = "claim-1", *results: dict[str, Any]) -> dict[str, Any]:
    status = {"allocation": {"devices": {"results": list(results)}}} if results else {}
    return {"metadata": {"name": CLAIM.name, "namespace": CLAIM.namespace, "uid": uid}, "status": status}


class Api:
    """An API server with one claim, or none."""

    def __init__(self, port: int, authority: Path) -> None:
        self.port = port
        self.authority = authority
        self.claim: dict[str, Any] | None = None
        self.asked: list[str] = []

    def kubeconfig(self, folder: Path, **user: Any) -> str:
        server = f"https://127.0.0.1:{self.port}"
        path = folder / "kubeconfig"
        document = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {"name": "c", "cluster": {"server": server, "certificate-authority": str(self.authority)}}
            ],
            "users": [{"name": "u", "user": {"token": TOKEN} | user}],
        }
        path.write_text(json.dumps(document))
        return str(path)

    def answer(self, path: str, authorization: str) -> tuple[int, object]:
        self.asked.append(path)
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        return (404, {"message": "not found"}) if self.claim is None else (200, self.claim)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself; certificate and key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path.with_suffix(".key")), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def api(certificate: Path) -> Iterator[Api]:
    with serving(certificate) as running:
        yield running


@contextmanager
def serving(certificate: Path) -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, answer = running.answer(self.path, self.headers.get("Authorization", ""))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Api(server.server_port, certificate)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def refusal(kubernetes: Kubernetes, claim: Claim = CLAIM) -> PrepareRefusal:
    found = await kubernetes.read(claim)
    assert isinstance(found, PrepareRefusal)
    return found


async def test_the_claim_is_read_with_what_it_holds_of_this_driver(api: Api, tmp_path: Path) -> None:
    api.claim = a_resource_claim("claim-1", RESULT, RESULT | {"driver": "example.com", "device": "x"})
    kubernetes = Kubernetes(credentials.credentials(api.kubeconfig(tmp_path)), DRIVER)
    found = await kubernetes.read(CLAIM)
    assert isinstance(found, Allocation)
    assert [(result.pool, result.device) for result in found.results] == [("node-a", "gpu-0")]
    assert api.asked == [PATH]


@pytest.mark.parametrize(
    ("claim", "why", "reason"),
    [
        (None, Why.UNKNOWN_CLAIM, "does not exist in Kubernetes"),
        (a_resource_claim("claim-9", RESULT), Why.REPLACED_CLAIM, "its UID is claim-9, not claim-1"),
        (a_resource_claim(), Why.UNKNOWN_CLAIM, "is not allocated in Kubernetes"),
        (
            a_resource_claim("claim-1", RESULT | {"driver": "example.com"}),
            Why.UNKNOWN_CLAIM,
            f"holds no device of {DRIVER}",
        ),
        ({"metadata": 3}, Why.BUSY, "its answer cannot be read: "),
    ],
    ids=["deleted", "replaced", "not allocated", "of another driver", "nonsense"],
)
async def test_a_claim_that_is_not_the_one_that_was_asked_for_is_refused(
    api: Api, tmp_path: Path, claim: dict[str, Any] | None, why: Why, reason: str
) -> None:
    api.claim = claim
    found = await refusal(Kubernetes(credentials.credentials(api.kubeconfig(tmp_path)), DRIVER))
    assert found.why is why
    assert reason in found.reason


async def test_a_server_that_lets_us_not_in_or_is_not_there_is_said(api: Api, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path, token="wrong")
    kubernetes = Kubernetes(credentials.credentials(path), DRIVER)
    assert "it answers 401" in (await refusal(kubernetes)).reason
    api.port = 1
    absent = Kubernetes(credentials.credentials(api.kubeconfig(tmp_path)), DRIVER)
    assert "Kubernetes cannot be asked either: [Errno 111]" in (await refusal(absent)).reason


def test_without_credentials_nobody_is_asked() -> None:
    assert source("", DRIVER) is None


def test_credentials_that_cannot_be_used_are_said_at_the_start(api: Api, tmp_path: Path) -> None:
    runs_a_program = api.kubeconfig(tmp_path, exec={"command": "sh"})
    for kubeconfig, reason in (
        (str(tmp_path / "none"), "No such file"),
        (runs_a_program, "user u runs a program to be let in"),
        ("in-cluster", "this is no pod"),
    ):
        with pytest.raises(BadSettings, match=f"SLICEWIRE_NODE_PREP_KUBECONFIG='.*{reason}"):
            source(kubeconfig, DRIVER)


async def test_while_the_bus_is_away_an_unprepared_claim_is_read_from_kubernetes(
    station: Station, broker: Broker, api: Api, tmp_path: Path
) -> None:
    api.claim = a_resource_claim("claim-1", RESULT) | {
        "metadata": {"name": "named-claim-1", "namespace": "default", "uid": "claim-1"}
    }
    kubernetes = source(api.kubeconfig(tmp_path), DRIVER)
    async with station.kubelet(claim_source=kubernetes, ledger_wait_seconds=0.05) as plugin:
        assert "no allocation" in (await plugin.prepare([asked()]))["claim-1"].error
        assert api.asked == [], "the bus answers, so the ledger has the last word"
        await broker.stop()
        assert (await plugin.prepared(asked())).devices[0].device_name == "gpu-0"
        await broker.start()
    assert list(station.disk.entries) == [held().claim.uid]


async def test_with_the_bus_dead_from_the_start_the_devices_are_those_that_were_heard_last(
    station: Station, broker: Broker, api: Api, tmp_path: Path
) -> None:
    api.claim = a_resource_claim("claim-1", RESULT) | {
        "metadata": {"name": "named-claim-1", "namespace": "default", "uid": "claim-1"}
    }
    kubernetes = source(api.kubeconfig(tmp_path), DRIVER)
    wanted: dict[str, Any] = {"claim_source": kubernetes, "ledger_wait_seconds": 0.05}
    async with station.serving(**wanted) as service:
        await until_there(service, station.disk.inventory)
    await broker.stop()
    async with station.kubelet(ready=False, **wanted) as plugin:
        assert (await plugin.prepared(asked())).devices[0].device_name == "gpu-0"
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}


@pytest.mark.parametrize("content", [b"{", b'{"node":"another","driver":"gpu.nvidia.com","pool":"p"}'])
async def test_an_inventory_that_is_not_this_nodes_is_no_inventory(
    station: Station, broker: Broker, api: Api, tmp_path: Path, content: bytes
) -> None:
    api.claim = a_resource_claim("claim-1", RESULT)
    station.disk.plugin_dir.mkdir(parents=True)
    station.disk.inventory.write_bytes(content)
    kubernetes = source(api.kubeconfig(tmp_path), DRIVER)
    await broker.stop()
    wanted: dict[str, Any] = {"claim_source": kubernetes, "ledger_wait_seconds": 0.05}
    async with station.kubelet(ready=False, **wanted) as plugin:
        error = (await plugin.prepare([asked()]))["claim-1"].error
    assert "have not been heard of yet" in error


async def until_there(service: Service, path: Path) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        seen = 0
        while not path.exists():
            seen = await service.hearing.next_change(seen, at_most_seconds=0.05)
