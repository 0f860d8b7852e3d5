"""What stands in for `nvidia-cuda-mps-control` on a simulated node: a daemon that is asked, and its asker.

A program of its own that imports nothing but the standard library. It keeps what it is told and serves no
CUDA process. Its first argument is its place in the driver's root, whose `etc/nvidia-mps.json` may trouble
it: `{"slowSeconds": 8}` keeps a daemon from answering so long, `{"fails": "why"}` from starting at all.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

TROUBLE = "etc/nvidia-mps.json"
_SOCKET, _PID = "control", "nvidia-cuda-mps-control.pid"
_LONGEST = 65536
_ANSWER_SECONDS = 5.0


class Daemon:
    """What a control daemon remembers."""

    def __init__(self) -> None:
        self._percentage = 100.0
        self._limits: dict[str, str] = {}
        self.is_over = False

    def answer(self, line: str) -> str:
        command, *given = line.split() or [""]
        match command, given:
            case "get_default_active_thread_percentage", []:
                answer = str(self._percentage)
            case "set_default_active_thread_percentage", [percentage]:
                self._percentage = float(percentage)
                answer = str(self._percentage)
            case "get_default_device_pinned_mem_limit", [device]:
                answer = self._limits.get(device, "")
            case "set_default_device_pinned_mem_limit", [device, limit]:
                self._limits[device] = limit
                answer = ""
            case "get_server_list", []:
                answer = ""
            case "quit", _:
                self.is_over = True
                answer = ""
            case _:
                answer = f"Unrecognized command: {line}"
        return answer


def _served(trouble: dict[str, Any]) -> int:
    if reason := trouble.get("fails"):
        sys.stderr.write(f"{reason}\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(trouble.get("slowSeconds", 0))
    Path(_PID).write_text(f"{os.getpid()}\n")
    daemon = Daemon()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        Path(_SOCKET).unlink(missing_ok=True)
        listening.bind(_SOCKET)
        listening.listen()
        while not daemon.is_over:
            asker, _ = listening.accept()
            with asker:
                lines = asker.recv(_LONGEST).decode().splitlines()
                asker.sendall("".join(f"{daemon.answer(line)}\n" for line in lines).encode())
    for name in (_SOCKET, _PID):
        Path(name).unlink(missing_ok=True)
    return 0


def _asked(commands: str) -> int:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            asking.connect(_SOCKET)
            asking.sendall(commands.encode())
            asking.shutdown(socket.SHUT_WR)
            with asking.makefile() as answers:
                sys.stdout.write(answers.read())
    except OSError:
        sys.stdout.write("Cannot find MPS control daemon process\n")
        return 1
    return 0


def _in_background() -> bool:
    """Whether this is the process that goes on there."""
    if os.fork():
        return False
    os.setsid()
    return True


def main() -> int:
    program, *options = sys.argv[1:]
    # A socket's path may have 108 bytes; one in the folder we are in has few.
    os.chdir(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))  # noqa: S108 - NVIDIA's own default
    if "-d" in options and not _in_background():
        return 0
    if "-d" in options or "-f" in options:
        troubles = Path(program).parents[2] / TROUBLE
        return _served(json.loads(troubles.read_bytes()) if troubles.exists() else {})
    return _asked(sys.stdin.read())


if __name__ == "__main__":
    sys.exit(main())
