"""Real nats-servers with exactly what `slicewire credentials` makes: one, or three that know each other."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from slicewire.client.credentials.folder import Folder
from slicewire.client.credentials.issuing import Issuer
from slicewire.client.local.broker import find_binary

NODES = ("node-a", "node.b")
CONF = """
server_name: {name}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{store}", max_file_store: 8G, max_memory_store: 64M }}
tls {{
  min_version: "1.3"
  cert_file: "{server}/tls.pem", key_file: "{server}/tls.pem", ca_file: "{server}/ca.crt"
}}
include "{include}"
{cluster}
"""
CLUSTER = """
cluster {{
  name: slicewire
  listen: 127.0.0.1:{port}
  no_advertise: true
  tls {{
    verify: true, min_version: "1.3"
    cert_file: "{server}/tls.pem", key_file: "{server}/tls.pem", ca_file: "{server}/ca.crt"
  }}
  routes: [{routes}]
}}
"""


def credentials(path: Path, nodes: Sequence[str] = NODES, days: int = 30) -> Folder:
    folder = Folder(path)
    with folder.ours():
        issuer = Issuer(folder)
        issuer.begin(["localhost", "127.0.0.1"], days)
        for node in nodes:
            issuer.add("node", node, days)
        issuer.add("reader", "grafana", days)
    return folder


class Server:
    """One nats-server with TLS; its ports stay, so that clients find it again."""

    def __init__(
        self, folder: Folder, place: Path, port: int, cluster: tuple[int, Sequence[int]] = (0, ())
    ) -> None:
        self.name, self.port, self._place = place.name, port, place
        place.mkdir(parents=True, exist_ok=True)
        server = (folder.path / "server").resolve()
        routes = ", ".join(f"nats://127.0.0.1:{route}" for route in cluster[1])
        clustered = CLUSTER.format(port=cluster[0], server=server, routes=routes) if cluster[0] else ""
        include = Path("../" * len(place.resolve().parts[1:])) / str(server / "identities.conf").lstrip("/")
        self._conf = place / "nats.conf"
        self._conf.write_text(
            CONF.format(
                name=place.name,
                port=port,
                store=place / "js",
                server=server,
                include=include,
                cluster=clustered,
            )
        )
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self._place / "log").read_text()

    async def start(self) -> None:
        with (self._place / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(find_binary()), "-c", str(self._conf), stdout=log, stderr=log
            )
        async with asyncio.timeout(10):
            while True:
                assert self._process.returncode is None, self.log
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return

    async def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@asynccontextmanager
async def running(folder: Folder, place: Path) -> AsyncIterator[Server]:
    server = Server(folder, place / "n1", free_ports(1)[0])
    await server.start()
    try:
        yield server
    finally:
        await server.end()


@asynccontextmanager
async def three(folder: Folder, place: Path) -> AsyncIterator[list[Server]]:
    ports = free_ports(6)
    servers = [
        Server(folder, place / f"n{number}", ports[number - 1], (ports[number + 2], ports[3:]))
        for number in (1, 2, 3)
    ]
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.end)
        await asyncio.gather(*(server.start() for server in servers))
        yield servers
