"""/healthz says the process lives; /readyz says it has caught up and may be asked; /metrics how it does.

Serves from threads of its own: a scrape that is slow, cut or malformed holds up neither the service nor
the probes. Refuses to be talked to for ever: each connection has seconds, and there are only so many.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from slicewire.common import metrics, vitals
from slicewire.common.logs import Log
from slicewire.common.settings import BadSettings

_SILENT_SECONDS = 5.0
"""So long a client may take to say or take in something."""
_WHOLE_SECONDS = 10.0
"""So long a connection may last, however busily it dribbles."""
_LOOK_SECONDS = 0.5
"""How often we see who has been here too long, and whether we are to end."""
_AT_ONCE = 16
"""More connections are closed unanswered: a probe that meets that is asked again a little later."""
_NOTHING = metrics.Part("unknown")
_log = Log("health")


class Readiness:
    """Not ready until there is a service to ask: health is served before the bus has answered."""

    def __init__(self) -> None:
        self._check: Callable[[], bool] = lambda: False
        self._role: Callable[[], str] = lambda: ""

    def follows(self, check: Callable[[], bool], role: Callable[[], str] | None = None) -> None:
        """From now on the service says whether it is ready, and as what where it may be several things."""
        self._check = check
        self._role = role or self._role

    def __call__(self) -> bool:
        return self._check()

    @property
    def role(self) -> str:
        return self._role()


@contextmanager
def serving(port: int, is_ready: Callable[[], bool], part: metrics.Part = _NOTHING) -> Iterator[int]:
    """Serve all three while open; yields the port in use. Port 0 serves nothing. `/readyz` says the role of
    a `Readiness` that has one.

    Raises `BadSettings` for a port that cannot be had: in use by another, or not ours to use.
    """
    if not port:
        yield 0
        return
    try:
        server = _Server(("", port), _handler(_answers(is_ready, part)))
    except OSError as error:
        raise BadSettings(f"SLICEWIRE_HEALTH_PORT='{port}': {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, args=[_LOOK_SECONDS], name="health", daemon=True)
    thread.start()
    try:
        with vitals.living(is_ready):
            yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


_Ask = Callable[[str], _Answer]
"""By the `Accept` of whoever asks."""


def _answers(is_ready: Callable[[], bool], part: metrics.Part) -> dict[str, _Ask]:
    def ready(_accept: str) -> _Answer:
        if not is_ready():
            return _Answer(503, b"catching up\n")
        role = is_ready.role if isinstance(is_ready, Readiness) else ""
        return _Answer(200, f"ok {role}".strip().encode() + b"\n")

    def measured(accept: str) -> _Answer:
        try:
            return _Answer(
                200, *metrics.exposed((*vitals.ALL, *part.instruments), {"part": part.name}, accept)
            )
        except ValueError as error:
            return _Answer(400, f"Accept {accept!r}: {error}\n".encode())

    return {"/healthz": lambda _: _Answer(200, b"ok\n"), "/readyz": ready, "/metrics": measured}


class _Server(ThreadingHTTPServer):
    request_queue_size = 32
    daemon_threads = True
    block_on_close = False
    """A client that holds its connection does not hold up our end."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._since: dict[socket.socket, float] = {}
        """The connections that are open, and since when."""

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._since) < _AT_ONCE:
            self._since[request] = time.monotonic()
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._since[request]

    def service_actions(self) -> None:
        """Between two clients, and every `_LOOK_SECONDS`."""
        for request, since in tuple(self._since.items()):
            if time.monotonic() - since > _WHOLE_SECONDS:
                with suppress(OSError):  # it has ended by itself
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news, and the next one is answered."""


def _handler(answers: dict[str, _Ask]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENT_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in answers:
                self._send(_Answer(404, b"there are /healthz, /readyz and /metrics\n"))
                return
            try:
                answer = answers[path](self.headers.get("Accept", ""))
            except Exception as error:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
                _log.crashed("look failed", path=path)
                answer = _Answer(500, f"{type(error).__name__}: {error}\n".encode())
            self._send(answer)

        def _send(self, answer: _Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
            """What is no request of ours: 400, 414, 431, 501, in a line rather than a page."""
            self.close_connection = True
            self._send(_Answer(code, f"{message or HTTPStatus(code).phrase}\n".encode()))

        def version_string(self) -> str:
            return "slicewire"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Probes every few seconds are not worth a line."""

    return Handler
