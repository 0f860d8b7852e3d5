"""The command `slicewire-node-prep` as a process of its own, and a collector for its spans."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.component.node_prep.harness import GPUS, SOON_SECONDS, Disk
from tests.unit.node_prep.builders import NODE


class Process:
    def __init__(self, inner: asyncio.subprocess.Process) -> None:
        self._inner = inner

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """kill -9: nothing is finished, nobody is told."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        if self._inner.returncode is None:
            self._inner.send_signal(how)
        async with asyncio.timeout(SOON_SECONDS):
            return await self._inner.wait()

    async def exited(self) -> tuple[int, str]:
        """Its exit status by itself, and what it said."""
        async with asyncio.timeout(SOON_SECONDS):
            _, said = await self._inner.communicate()
        assert self._inner.returncode is not None
        return self._inner.returncode, said.decode()


@asynccontextmanager
async def started(
    disk: Disk, nats_url: str, command: Sequence[str] = ("slicewire.node_prep",), **settings: str
) -> AsyncIterator[Process]:
    """`command` is a module and its arguments. Settings beyond those of this node's disk are given without
    their prefix."""
    given = {
        "NATS_URL": nats_url,
        "NODE_NAME": NODE,
        "NODE_PREP_PLUGIN_DIR": str(disk.plugin_dir),
        "NODE_PREP_REGISTRY_DIR": str(disk.registry_dir),
        "NODE_PREP_CDI_ROOT": str(disk.cdi_root),
        "NODE_PREP_NVML_ROOM": "simulated",
        "NODE_PREP_NVML_STATE": str(disk.state),
        "NODE_PREP_NVML_GPUS": str(GPUS),
    } | settings
    environment = {f"SLICEWIRE_{name}": value for name, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        env={name: value for name, value in os.environ.items() if not name.startswith("SLICEWIRE_")}
        | environment,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        yield running
    finally:
        await running.kill()
        if process.stderr is not None:
            await process.stderr.read()


class Collector:
    """An OTLP endpoint that keeps what it is sent."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    collector.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
