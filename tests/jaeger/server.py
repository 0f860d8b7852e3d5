"""One Jaeger on loopback, and what it is asked."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from slicewire.client import traces
from slicewire.client.traces import SeenSpan
from tests.cluster.polling import comes_true
from tests.jaeger import binary
from tests.jaeger.binary import CannotRun

_CONFIG = Path(__file__).parent / "config.yaml"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_PORTS = ("OTLP", "QUERY", "GRPC", "HEALTH")


class Jaeger:
    """Where spans go, and where they are asked for."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.endpoint = f"http://127.0.0.1:{ports['OTLP']}"
        self.url = f"http://127.0.0.1:{ports['QUERY']}"

    def trace(self, trace_id: str) -> tuple[SeenSpan, ...]:
        return asyncio.run(traces.fetched(self.url, trace_id))

    def trace_with(self, trace_id: str, names: Sequence[str], seconds: float = 20.0) -> tuple[SeenSpan, ...]:
        """The trace once it has spans of all these names; as much as there is where it never has."""
        comes_true(lambda: {*names} <= {span.name for span in self.trace(trace_id)}, seconds)
        return self.trace(trace_id)

    def services(self) -> set[str]:
        return set(self._asked("/api/services") or ())

    def traces_of_pod(self, service: str, uid: str) -> set[str]:
        """Ids of the traces that a person finds who searches for the pod's UID."""
        tags = urllib.parse.quote(json.dumps({"slicewire.pod_uid": uid}))
        return {found["traceID"] for found in self._asked(f"/api/traces?service={service}&tags={tags}")}

    def answers(self) -> bool:
        try:
            self._asked("/api/services")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _asked(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as response:
            return json.loads(response.read())["data"]


@contextmanager
def running(log: Path, ui: str = "") -> Iterator[Jaeger]:
    """For as long as the block. Raises `CannotRun`."""
    program = binary.ready()
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    jaeger = Jaeger(ports)
    environ = {f"JAEGER_{name}_PORT": str(port) for name, port in ports.items()}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(program), "--config", f"file:{_CONFIG}"],
            env={**os.environ, **environ, "JAEGER_UI": ui, "OTEL_TRACES_SAMPLER": "always_off"},
            stdout=out,
            stderr=out,
        )
    try:
        if not comes_true(jaeger.answers, _START_SECONDS, is_hopeless=lambda: process.poll() is not None):
            raise CannotRun(f"Jaeger did not start: {log.read_text()[-2000:]}")
        yield jaeger
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """All taken at once, so that no two are the same."""
    with ExitStack() as taken:
        probes = [taken.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
