"""/healthz says the process lives; /readyz says it has caught up and may be asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from slicewire.common.settings import BadSettings


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
def serving(port: int, is_ready: Callable[[], bool]) -> Iterator[int]:
    """Serve both while open; yields the port in use. Port 0 serves nothing. `/readyz` says the role of a
    `Readiness` that has one.

    Raises `BadSettings` for a port that cannot be had: in use by another, or not ours to use.
    """
    if not port:
        yield 0
        return
    try:
        server = ThreadingHTTPServer(("", port), _handler(is_ready))
    except OSError as error:
        raise BadSettings(f"SLICEWIRE_HEALTH_PORT='{port}': {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(is_ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            checks: dict[str, Callable[[], bool]] = {"/healthz": lambda: True, "/readyz": is_ready}
            check = checks.get(self.path)
            status = 404 if check is None else 200 if check() else 503
            role = is_ready.role if isinstance(is_ready, Readiness) and self.path == "/readyz" else ""
            body = {
                200: f"ok {role}".strip().encode() + b"\n",
                404: b"there are /healthz and /readyz\n",
                503: b"catching up\n",
            }[status]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Probes every few seconds are not worth a line."""

    return Handler
