"""Run the keeper of MPS control daemons: started in a pod of its own, they outlive the pod of node-prep.

It starts what is asked for and no more. It remembers nothing: daemons are found, asked, supervised and ended
by node-prep, which knows them by their environment. It speaks to nobody but who may open its socket.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from slicewire.common import logs, running
from slicewire.common.logs import Log
from slicewire.common.settings import BadSettings, from_environ
from slicewire.node_prep import files
from slicewire.node_prep.core.mpsclients import LOG, PIPE, SHM
from slicewire.node_prep.mpsasking import LONGEST_LINE, Answer, Start, socket_of
from slicewire.node_prep.mpscontrol import LIBRARIES, Daemon, DaemonFault, program_of
from slicewire.node_prep.settings import PART, Settings

_ASKER_SECONDS = 5.0
"""How long somebody may take to say what is wanted."""
_OURS_ALONE = 0o177
_log = Log("node-prep.mps-keeper")


class Keeper:
    """Answers one request after another: two at once for one folder cannot both find it free."""

    def __init__(self, root: Path, driver_root: Path) -> None:
        self._root = root
        self._driver_root = driver_root

    async def serve(self, asker: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_ASKER_SECONDS):
                    answers.write(msgspec.json.encode(await self._answered(asker)) + b"\n")
                    await answers.drain()
        finally:
            answers.close()

    async def _answered(self, asker: asyncio.StreamReader) -> Answer:
        try:
            return self.answer(await asker.readuntil(b"\n"))
        except asyncio.LimitOverrunError:
            return _refused(f"a request has at most {LONGEST_LINE} bytes")

    def answer(self, line: bytes) -> Answer:
        try:
            start = msgspec.json.decode(line, type=Start)
            process = self._daemon(start).spawn(start)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refused(f"this is no request to start an MPS control daemon: {error}")
        except (DaemonFault, files.DiskFault) as fault:
            return _refused(str(fault))
        _log.info("MPS control daemon started", path=self._root / start.daemon, pid=process.pid)
        return Answer(process=process)

    def _daemon(self, start: Start) -> Daemon:
        """Raises `DaemonFault` where none may be started."""
        program = program_of(self._driver_root)
        if program is None:
            raise DaemonFault(
                f"the keeper finds no nvidia-cuda-mps-control in {self._driver_root} of the driver"
            )
        folder = self._root / start.daemon
        for name in (PIPE, LOG, SHM, LIBRARIES):
            files.refuse_links(self._root, folder / name)
        daemon = Daemon(folder, program)
        # Asked for by a node-prep that was killed before it heard the answer: the next attempt ends it first.
        for process in daemon.running():
            raise DaemonFault(f"process {process.pid} has {folder} already")
        return daemon


def _refused(reason: str) -> Answer:
    _log.warning("MPS control daemon not started", reason=reason)
    return Answer(refused=reason)


def _opened(path: Path) -> socket.socket:
    """In place of a keeper's that has ended. Raises `BadSettings`."""
    if path.is_symlink() or (path.exists() and not path.is_socket()):
        raise BadSettings(f"{path} is in the way of our socket and is no socket itself: remove it")
    listening = socket.socket(socket.AF_UNIX)
    umask = os.umask(_OURS_ALONE)
    try:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise BadSettings(f"no socket can be made at {path}: {error.strerror}") from error
    finally:
        os.umask(umask)
    return listening


def _reap() -> None:
    """Daemons that have ended are forgotten by the kernel when their parent has asked for them."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


async def serve() -> None:
    settings = from_environ(Settings, PART, os.environ)
    logs.start(settings.log_level, settings.log_format)
    plugin_dir = Path(settings.plugin_dir)
    keeper = Keeper(plugin_dir / "mps", Path(settings.driver_root))
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, _reap)
    path = socket_of(plugin_dir)
    listening = _opened(path)
    async with await asyncio.start_unix_server(keeper.serve, sock=listening, limit=LONGEST_LINE) as server:
        _log.info("MPS keeper listens", path=path)
        await server.serve_forever()


def main() -> None:
    argparse.ArgumentParser(
        prog="slicewire-mps-keeper",
        description="Starts MPS control daemons for node-prep with SLICEWIRE_NODE_PREP_MPS=pod, and holds"
        " them in a pod of its own. Takes node-prep's settings PLUGIN_DIR and DRIVER_ROOT.",
    ).parse_args()
    running.run(serve)


if __name__ == "__main__":
    main()
